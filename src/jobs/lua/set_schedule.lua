-- set_schedule: sets a schedule of a queue, or takes one away.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    its name
-- ARGV[2]    what it is, '' to take it away
-- ARGV[3]    when it is due, Unix ms
-- ARGV[4]    how many schedules a queue has at most
-- Returns {'ok', 1 if there was one of that name}; {'crowded'}: there are too many, and nothing is done.
local was = call('HEXISTS', SCHEDULES, ARGV[1])
if ARGV[2] == '' then
  call('ZREM', SCHEDULES_DUE, ARGV[1])
  call('HDEL', SCHEDULES, ARGV[1])
  return { 'ok', was }
end
if was == 0 and call('HLEN', SCHEDULES) >= tonumber(ARGV[4]) then return { 'crowded' } end
call('HSET', SCHEDULES, ARGV[1], ARGV[2])
call('ZADD', SCHEDULES_DUE, ARGV[3], ARGV[1])
return { 'ok', was }
