-- Shared by the scripts that change profiles. A patch lies in ARGV from `at` on: the number of fields to set, their names
-- and values, the number of fields to delete, their names. Attributes are the fields whose names begin with "a:".

-- Where the patch ends: the index behind its last argument.
local function patch_end(at)
  at = at + 1 + 2 * tonumber(ARGV[at])
  return at + 1 + tonumber(ARGV[at])
end

-- Whether the profile would have more than 32 attributes after the patch. Deletions are counted as if they came last, so
-- a patch never passes because of the order in which it is applied.
local function too_many_attributes(key, at)
  local names, count = {}, 0
  for _, name in ipairs(redis.call('HKEYS', key)) do
    names[name] = true
    if string.sub(name, 1, 2) == 'a:' then count = count + 1 end
  end
  local sets = tonumber(ARGV[at])
  for i = at + 1, at + 2 * sets, 2 do
    if string.sub(ARGV[i], 1, 2) == 'a:' and not names[ARGV[i]] then count = count + 1 end
  end
  local deletions = at + 1 + 2 * sets
  for i = deletions + 1, deletions + tonumber(ARGV[deletions]) do
    if string.sub(ARGV[i], 1, 2) == 'a:' and names[ARGV[i]] then count = count - 1 end
  end
  return count > 32
end

-- Whether the patch would change anything. Senders like to repeat the same status with every fix.
local function changes_profile(key, at)
  local sets = tonumber(ARGV[at])
  if tonumber(ARGV[at + 1 + 2 * sets]) > 0 then return true end
  local names = {}
  for i = 1, sets do names[i] = ARGV[at + 2 * i - 1] end
  local values = redis.call('HMGET', key, unpack(names))
  for i = 1, sets do
    if values[i] ~= ARGV[at + 2 * i] then return true end
  end
  return false
end

-- Applies the patch and stamps the profile with `version`. It may have been deleted before and about to end.
local function merge_profile(key, at, version)
  local sets = tonumber(ARGV[at])
  if sets > 0 then redis.call('HSET', key, unpack(ARGV, at + 1, at + 2 * sets)) end
  local deletions = at + 1 + 2 * sets
  local count = tonumber(ARGV[deletions])
  if count > 0 then redis.call('HDEL', key, unpack(ARGV, deletions + 1, deletions + count)) end
  redis.call('HSET', key, 'v', version)
  if redis.call('HLEN', key) > 1 then
    redis.call('PERSIST', key)
  else
    -- Nothing is left of it: it ends as a deleted one does.
    redis.call('EXPIRE', key, 3600)
  end
end
