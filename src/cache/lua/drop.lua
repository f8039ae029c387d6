-- drop: removes entries or versions, at most 1,000, and publishes their invalidation.
-- KEYS[1..] entries or versions
-- ARGV[1] channel
-- ARGV[2] message
-- Returns how many there were.
local dropped = redis.call('UNLINK', unpack(KEYS))
redis.call('PUBLISH', ARGV[1], ARGV[2])
return dropped
