-- put: writes entries unconditionally, and publishes the invalidation of the old ones.
-- KEYS[1..] entries
-- ARGV[1] channel
-- ARGV[2] message
-- ARGV[3] deadline, Unix ms: a write that arrives later is dropped, because its caller has given up and the key may have been deleted
-- ARGV[4..] for each: its TTL, ms, and the entry
-- Returns one of:
--   how many were written
--   -1  the deadline has passed: none is written
local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) > tonumber(ARGV[3]) then return -1 end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, ARGV[2 * i + 3], 'PX', ARGV[2 * i + 2])
end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return #KEYS
