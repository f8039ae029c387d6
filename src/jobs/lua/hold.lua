-- hold: pauses a queue, so that nothing of it is leased, or lets it go on.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events, waiting jobs, bytes
-- ARGV[4]    '1' to pause it, '0' to let it go on
-- Returns {'ok'}; {'types', n} as lease.lua.
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
if ARGV[4] == '1' then
  call('HSET', META, 'paused', 1)
else
  woken = call('HDEL', META, 'paused') == 1
end
close()
return { 'ok' }
