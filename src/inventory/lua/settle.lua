-- settle: says when to look after the parts of a reservation again that has them elsewhere.
-- KEYS[1] reservations
-- KEYS[2] reservations whose parts have not heard of the last decision, by when those are looked after
-- KEYS[3] the others, by when it is checked whether they can be forgotten
-- ARGV[1] id
-- ARGV[2] "STATE EXPIRES PARTS BORNS" of the reservation whose parts were looked after
-- ARGV[3] ms until they are to be looked after again; 'never', or 'forget' if they are all forgotten: then it is as well
-- Returns {'done'}; {'changed'} if the reservation is another by now, or has gone on: then nothing was done.
local record = redis.call('HGET', KEYS[1], ARGV[1])
if record then
  local state, expires, parts, borns = string.match(record, '^(%a) %d+ (%d+) %d+ (%S+) (%S+)')
  if state .. ' ' .. expires .. ' ' .. parts .. ' ' .. borns ~= ARGV[2] then return { 'changed' } end
end
if tonumber(ARGV[3]) then
  local time = redis.call('TIME')
  -- Only what is listed still; removed first, because a Redis that has no memory left refuses a script that begins with ZADD.
  if redis.call('ZREM', KEYS[2], ARGV[1]) + redis.call('ZREM', KEYS[3], ARGV[1]) > 0 then
    redis.call('ZADD', KEYS[3], time[1] * 1000 + tonumber(ARGV[3]), ARGV[1])
  end
else
  if ARGV[3] == 'forget' then redis.call('HDEL', KEYS[1], ARGV[1]) end
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
end
return { 'done' }
