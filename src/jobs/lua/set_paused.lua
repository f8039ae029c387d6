-- set_paused: pauses a queue, so that no job of it is leased, or resumes it.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    wake-up channel
-- ARGV[2]    name of the queue
-- ARGV[3]    limits: done jobs and dead jobs kept, retention of dead jobs (ms), events kept, waiting jobs, bytes
-- ARGV[4]    '1' to pause it, '0' to resume it
-- Returns one of:
--   {'ok'}
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
if ARGV[4] == '1' then
  call('HSET', META, 'paused', 1)
else
  woken = call('HDEL', META, 'paused') == 1
end
close()
return { 'ok' }
