-- claim: records that an item belongs to a group: before the item is created in it, once it is, and after it is deleted.
-- KEYS[1] items of the partition that the item is in without a group
-- KEYS[2] entry that names its group
-- ARGV[1] SKU
-- ARGV[2] group
-- ARGV[3] 'begin' to create the entry, or to extend it to at least ARGV[4];
--         'keep' to let the entry persist;
--         'end' to let a persistent entry expire after ARGV[4]
-- ARGV[4] time to live of the entry, ms; '' with 'keep'
-- Returns {'done'};
--         {'made END'} if 'begin' created the entry, which expires at END (Unix ms): for unclaim.lua;
--         {'elsewhere GROUP'} if the item belongs to another group;
--         {'elsewhere *'} if the item has no group.
local group = redis.call('GET', KEYS[2])
if group and group ~= ARGV[2] then return { 'elsewhere ' .. group } end
if not group and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return { 'elsewhere *' } end
if ARGV[3] == 'begin' and not group then
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[4])
  return { string.format('made %d', redis.call('PEXPIRETIME', KEYS[2])) }
elseif ARGV[3] == 'begin' then
  -- Always later than before, so that the call that created the entry sees that another call relies on it now.
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
