-- claim: says that an item belongs to a group, before it is made there, once it is, and when it is gone.
-- KEYS[1] items of the partition in which the item would be without a group
-- KEYS[2] the entry that names its group
-- ARGV[1] SKU
-- ARGV[2] group
-- ARGV[3] 'begin' before the item is made: the entry, made if there is none, lasts for a while at least; 'keep' for ever; 'end'
--         for a while if it would for ever
-- ARGV[4] that while, ms; '' for ever
-- Returns {'done'}; {'made END'} if 'begin' made the entry, which ends then (Unix ms): for unclaim.lua; {'elsewhere GROUP'} if
--         the item belongs to another group, {'elsewhere *'} if it is one without.
local group = redis.call('GET', KEYS[2])
if group and group ~= ARGV[2] then return { 'elsewhere ' .. group } end
if not group and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return { 'elsewhere *' } end
if ARGV[3] == 'begin' and not group then
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[4])
  return { string.format('made %d', redis.call('PEXPIRETIME', KEYS[2])) }
elseif ARGV[3] == 'begin' then
  -- Always later than before, so that whoever made the entry sees that somebody else counts on it now.
  local left = redis.call('PTTL', KEYS[2])
  if left >= 0 then redis.call('PEXPIRE', KEYS[2], math.max(left + 1, tonumber(ARGV[4]))) end
elseif ARGV[3] == 'end' then
  redis.call('PEXPIRE', KEYS[2], ARGV[4], 'NX')
elseif group then
  redis.call('PERSIST', KEYS[2])
else
  redis.call('SET', KEYS[2], ARGV[2])
end
return { 'done' }
