-- settle: sets the time at which a sweep checks the parts of a reservation again.
-- KEYS[1] reservations of the partition
-- KEYS[2] reservations whose parts have not followed the last decision, by the time at which a sweep checks them
-- KEYS[3] reservations whose parts have followed it, by the time at which a sweep checks whether they can be forgotten
-- ARGV[1] id
-- ARGV[2] "STATE EXPIRES PARTS BORNS" of the reservation as it was when its parts were checked
-- ARGV[3] ms until the next check;
--         'never' for no check;
--         'forget' to delete the reservation, because all its parts are gone
-- Returns {'done'};
--         {'changed'} if the reservation has changed since: nothing was done.
local record = redis.call('HGET', KEYS[1], ARGV[1])
if record then
  local state, expires, parts, borns = string.match(record, '^(%a) %d+ (%d+) %d+ (%S+) (%S+)')
  if state .. ' ' .. expires .. ' ' .. parts .. ' ' .. borns ~= ARGV[2] then return { 'changed' } end
end
if tonumber(ARGV[3]) then
  local time = redis.call('TIME')
  -- Only if it is still listed. Removed first, because a Redis whose memory is full refuses a script that begins with ZADD.
  if redis.call('ZREM', KEYS[2], ARGV[1]) + redis.call('ZREM', KEYS[3], ARGV[1]) > 0 then
    redis.call('ZADD', KEYS[3], time[1] * 1000 + tonumber(ARGV[3]), ARGV[1])
  end
else
  if ARGV[3] == 'forget' then redis.call('HDEL', KEYS[1], ARGV[1]) end
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
end
return { 'done' }
