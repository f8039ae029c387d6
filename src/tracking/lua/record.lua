-- record: stores the newest fix of each entity of one kind and partition, merges profile changes, and publishes what changed.
-- KEYS[1]   GEO index
-- KEYS[2]   sequence of the partition
-- KEYS[3]   update channel; a sharded one if its name has a hash tag
-- KEYS[4..] n snapshots, then m profiles
-- ARGV[1]   head of the message: its first members as JSON, without the opening brace's partner
-- ARGV[2]   TTL of profiles, ms
-- ARGV[3]   n, at most 512; no entity twice
-- ARGV[4]   m
-- ARGV[5..] for each fix: id, GEO score, expiry (Unix ms; '0' for one that is not to be stored), snapshot (JSON whose characters 10-22
--           are its Unix ms, 32-47 the Unix us at which it was received); then for each change of a profile: the number of its fix
--           (from 1), the change (see merge_profile.lua)
-- Returns a digit for each fix, the sum of:
--   1  it is stored; else it is stale
--   2  its profile changed
--   4  attributes were left out because the profile would have more than 32
local n, m = tonumber(ARGV[3]), tonumber(ARGV[4])
local call, sub = redis.call, string.sub

-- Returns whether the stored value is kept instead of an older fix. Not if it is not a record or is from before the clock was set back:
-- senders' clocks may be a minute ahead, and the instances' clocks differ.
local function stays(newest)
  -- A snapshot begins with LABEL and its Unix ms.
  local LABEL, LABEL_END, MS, MS_END = '{"ts_ms":', 9, 10, 22
  local at = sub(newest, 1, LABEL_END) == LABEL and tonumber(sub(newest, MS, MS_END))
  return at and at <= clock_ms() + 2 * MAX_AHEAD_MS
end

local current = call('MGET', unpack(KEYS, 4, 3 + n))
-- Outcomes are strings, because the Lua of Redis formats numbers slowly.
local outcomes, scores, snapshots, stored = {}, {}, {}, 0
for i = 1, n do
  local arg = 4 * i + 1
  local expiry, snapshot = ARGV[arg + 2], ARGV[arg + 3]
  local newest = current[i]
  -- Both begin with their times, so they order by those as a whole.
  if expiry == '0' or newest and newest > snapshot and stays(newest) then
    outcomes[i] = '0'
  else
    call('SET', KEYS[3 + i], snapshot, 'PXAT', expiry)
    stored = stored + 1
    snapshots[stored] = snapshot
    scores[2 * stored - 1], scores[2 * stored] = ARGV[arg + 1], ARGV[arg]
    outcomes[i] = '1'
  end
end
-- In pieces, because unpack is bounded by the Lua stack.
local PIECE = 800
for from = 1, 2 * stored, PIECE do
  call('ZADD', KEYS[1], unpack(scores, from, math.min(from + PIECE - 1, 2 * stored)))
end

local changed = m > 0 and merge_changes(n, m, ARGV[2], outcomes) or {}
if stored == 0 and #changed == 0 then return table.concat(outcomes) end

local sequence = call('INCR', KEYS[2])
local message = ARGV[1] .. ',"seq":' .. sequence
local tail = ''
if #changed > 0 then
  local ids = {}
  for i, profile in ipairs(changed) do
    call('HSET', profile.key, 'v', sequence)
    ids[i] = '"' .. ARGV[4 * profile.fix + 1] .. '"'
  end
  tail = ',"profiles":[' .. table.concat(ids, ',') .. ']'
end
if stored > 0 then
  snapshots[1] = message .. ',"fixes":[' .. snapshots[1]
  snapshots[stored] = snapshots[stored] .. ']' .. tail .. '}'
  message = table.concat(snapshots, ',')
else
  message = message .. tail .. '}'
end
publish(KEYS[3], message)
return table.concat(outcomes)
