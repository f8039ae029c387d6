-- clear: forgets the jobs that have been dead for longest.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events, waiting jobs, bytes
-- ARGV[4]    at most so many, up to 1000
-- Returns {'ok', forgotten, left}; {'types', n} as lease.lua.
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
