-- touch: changes until when an entry is fresh, if it is still the one that was read.
-- KEYS[1] entry
-- ARGV[1] its nonce
-- ARGV[2] until when, 8 bytes: ms of Redis's clock, big-endian
-- ARGV[3] TTL, ms
-- ARGV[4] channel
-- ARGV[5] message
-- Returns 1, or 0 if the key has another entry or none.
if redis.pcall('GETRANGE', KEYS[1], 8, 15) ~= ARGV[1] then return 0 end
redis.call('SETRANGE', KEYS[1], 24, ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
