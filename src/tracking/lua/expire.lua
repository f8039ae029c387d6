-- expire: removes entities whose snapshot has expired from the GEO index.
-- KEYS[1]   GEO index
-- KEYS[2..] snapshots
-- ARGV[1..] the ids, in the order of their snapshots; at most 512
-- Returns for each snapshot one of:
--   its expiry, Unix ms
--   -2  it has expired
--   -1  it has no TTL
-- An entity with a snapshot stays.
local EXPIRED = -2
local ends, ended = {}, {}
for i = 1, #ARGV do
  ends[i] = redis.call('PEXPIRETIME', KEYS[i + 1])
  if ends[i] == EXPIRED then ended[#ended + 1] = ARGV[i] end
end
if #ended > 0 then redis.call('ZREM', KEYS[1], unpack(ended)) end
return ends
