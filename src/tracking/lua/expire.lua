-- expire: takes entities out of the GEO index whose snapshot has ended.
-- KEYS[1]   GEO index
-- KEYS[2..] snapshots
-- ARGV[1..] the ids, in the order of their snapshots; at most 512
-- Returns when each snapshot ends (Unix ms); -2 for one that has ended, -1 for one without an end. An entity that has a snapshot stays.
local ends, ended = {}, {}
for i = 1, #ARGV do
  ends[i] = redis.call('PEXPIRETIME', KEYS[i + 1])
  if ends[i] == -2 then ended[#ended + 1] = ARGV[i] end
end
if #ended > 0 then redis.call('ZREM', KEYS[1], unpack(ended)) end
return ends
