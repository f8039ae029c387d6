-- clear: deletes the jobs that have been dead for longest.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    wake-up channel
-- ARGV[2]    name of the queue
-- ARGV[3]    limits: done jobs and dead jobs kept, retention of dead jobs (ms), events kept, waiting jobs, bytes
-- ARGV[4]    maximum number of jobs, up to 1000
-- Returns one of:
--   {'ok', deleted, left}  the number of deleted jobs, and of dead jobs left
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
local popped, ids = call('ZPOPMIN', DEAD, ARGV[4]), {}
for i = 1, #popped, 2 do
  ids[(i + 1) / 2] = popped[i]
end
many('HDEL', SPECS, ids)
many('HDEL', RUNS, ids)
forget_sizes(ids)
note_all('cleared', ids)
close()
return { 'ok', #ids, call('ZCARD', DEAD) }
