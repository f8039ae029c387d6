-- expire: removes entities whose snapshot has expired from the GEO index.
-- KEYS[1]   GEO index
-- KEYS[2..] snapshots
-- ARGV[1..] the ids, in the order of their snapshots; at most 512
-- Returns the expiry of each snapshot (Unix ms); -2 for one that has expired, -1 for one without a TTL. An entity with a snapshot stays.
local ends, ended = {}, {}
for i = 1, #ARGV do
  ends[i] = redis.call('PEXPIRETIME', KEYS[i + 1])
  if ends[i] == -2 then ended[#ended + 1] = ARGV[i] end
end
if #ended > 0 then redis.call('ZREM', KEYS[1], unpack(ended)) end
return ends
