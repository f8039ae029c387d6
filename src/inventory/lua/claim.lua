-- claim: says that an item belongs to a group, before it is made there.
-- KEYS[1] items of the partition in which the item would be without a group
-- KEYS[2] the entry that names its group
-- ARGV[1] SKU
-- ARGV[2] group
-- ARGV[3] ms after which the entry ends; '' for never
-- Returns {'done'}; {'elsewhere GROUP'} if it belongs to another one, {'elsewhere *'} if it is an item without a group.
local group = redis.call('GET', KEYS[2])
if group and group ~= ARGV[2] then return { 'elsewhere ' .. group } end
if not group and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return { 'elsewhere *' } end
if ARGV[3] == '' then
  redis.call('SET', KEYS[2], ARGV[2])
else
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return { 'done' }
