-- expire: takes entities out of the GEO index whose snapshot has ended.
-- KEYS[1]   GEO index
-- KEYS[2..] snapshots
-- ARGV[1..] the ids, in the order of their snapshots; at most 512
-- Returns how many were taken out. An entity that has a snapshot again by now stays.
local ended = {}
for i = 1, #ARGV do
  if redis.call('EXISTS', KEYS[i + 1]) == 0 then ended[#ended + 1] = ARGV[i] end
end
if #ended == 0 then return 0 end
return redis.call('ZREM', KEYS[1], unpack(ended))
