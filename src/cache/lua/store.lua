-- store: writes a computed entry, unless what lay under its key when the computation began lies there no more.
-- KEYS[1] entry
-- KEYS[2] lease
-- ARGV[1] nonce of what lay there
-- ARGV[2] the entry
-- ARGV[3] for how long, ms
-- ARGV[4] the lease's token, '' for none
-- Returns 'stored', or 'superseded': it was written or deleted meanwhile.
if ARGV[4] ~= '' and redis.call('GET', KEYS[2]) == ARGV[4] then redis.call('DEL', KEYS[2]) end
local nonce = redis.pcall('GETRANGE', KEYS[1], 8, 15)
if nonce ~= ARGV[1] then return 'superseded' end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 'stored'
