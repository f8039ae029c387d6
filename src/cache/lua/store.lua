-- store: writes a computed entry if its key still has what it had when the computation began.
-- KEYS[1] entry
-- KEYS[2] lease
-- ARGV[1] nonce of what the key had
-- ARGV[2] the entry
-- ARGV[3] TTL, ms
-- ARGV[4] the lease's token, '' for none
-- Returns one of:
--   'stored'
--   'superseded'  the key was written or deleted since
-- Where an entry has its nonce, counted from 0.
local NONCE, NONCE_END = 8, 15
if ARGV[4] ~= '' and redis.call('GET', KEYS[2]) == ARGV[4] then redis.call('DEL', KEYS[2]) end
local nonce = redis.pcall('GETRANGE', KEYS[1], NONCE, NONCE_END)
if nonce ~= ARGV[1] then return 'superseded' end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 'stored'
