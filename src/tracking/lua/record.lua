-- record: stores a batch of fixes of one kind and partition, the newest of each entity winning, and publishes what it stored.
-- KEYS[1]   GEO index
-- KEYS[2]   sequence of the partition
-- KEYS[3]   update channel; a sharded one if its name has a hash tag
-- KEYS[4..] n snapshots, then m profiles
-- ARGV[1]   head of the message: its first members as JSON, without the opening brace's partner
-- ARGV[2]   n, at most 512; no entity twice
-- ARGV[3]   m
-- ARGV[4..] for each fix: id, GEO score, expiry (Unix ms), snapshot (JSON whose characters 10-22 are its Unix ms);
--           then for each profile patch: the number of its fix (from 1), the patch (see merge_profile.lua)
-- Returns {sequence, outcomes}: one character a fix: 1 stored, p stored and the profile changed, 0 stale, a refused for too many attributes.
--         The sequence is 0 where nothing was stored.
local n, m = tonumber(ARGV[2]), tonumber(ARGV[3])
local call, sub = redis.call, string.sub

local outcomes = {}
local patches = {}
local at = 4 + 4 * n
for i = 1, m do
  local fix = tonumber(ARGV[at])
  patches[i] = { fix = fix, at = at + 1, key = KEYS[3 + n + i] }
  if too_many_attributes(patches[i].key, at + 1) then outcomes[fix] = 'a' end
  at = patch_end(at + 1)
end

local current = call('MGET', unpack(KEYS, 4, 3 + n))
local scores, snapshots, stored = {}, {}, 0
for i = 1, n do
  local arg = 4 * i
  local snapshot = ARGV[arg + 3]
  local newest = current[i]
  if outcomes[i] then
    -- refused above
  -- Both begin alike up to their time, so they order by it as a whole; cutting it out of both is left to the rare case.
  elseif newest and newest > snapshot and sub(newest, 10, 22) ~= sub(snapshot, 10, 22) then
    outcomes[i] = '0'
  else
    call('SET', KEYS[3 + i], snapshot, 'PXAT', ARGV[arg + 2])
    stored = stored + 1
    snapshots[stored] = snapshot
    scores[2 * stored - 1], scores[2 * stored] = ARGV[arg + 1], ARGV[arg]
    outcomes[i] = '1'
  end
end
if stored == 0 then return { 0, table.concat(outcomes) } end

-- In pieces, because unpack is bounded by the Lua stack.
for from = 1, 2 * stored, 800 do
  call('ZADD', KEYS[1], unpack(scores, from, math.min(from + 799, 2 * stored)))
end
local sequence = call('INCR', KEYS[2])
local changed = {}
for i = 1, m do
  local patch = patches[i]
  if outcomes[patch.fix] == '1' and changes_profile(patch.key, patch.at) then
    outcomes[patch.fix] = 'p'
    merge_profile(patch.key, patch.at, sequence)
    changed[#changed + 1] = '"' .. ARGV[4 * patch.fix] .. '"'
  end
end
snapshots[1] = ARGV[1] .. ',"seq":' .. sequence .. ',"fixes":[' .. snapshots[1]
local tail = ']}'
if #changed > 0 then tail = '],"profiles":[' .. table.concat(changed, ',') .. ']}' end
snapshots[stored] = snapshots[stored] .. tail
publish(KEYS[3], table.concat(snapshots, ','))
return { sequence, table.concat(outcomes) }
