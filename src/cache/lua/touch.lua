-- touch: changes until when an entry is fresh, if it is still the one that was read.
-- KEYS[1] entry
-- ARGV[1] its nonce
-- ARGV[2] until when, 8 bytes: ms of Redis's clock, big-endian
-- ARGV[3] TTL, ms
-- ARGV[4] channel
-- ARGV[5] message
-- Returns one of:
--   1  changed
--   0  the key has another entry, or none
-- Where an entry has its nonce and until when it is fresh, counted from 0.
local NONCE, NONCE_END, FRESH = 8, 15, 24
if redis.pcall('GETRANGE', KEYS[1], NONCE, NONCE_END) ~= ARGV[1] then return 0 end
redis.call('SETRANGE', KEYS[1], FRESH, ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
