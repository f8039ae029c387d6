-- remove: replaces the fix of an entity by a tombstone, so that an older fix that arrives late cannot revive it.
-- KEYS[1] GEO index
-- KEYS[2] sequence of the partition
-- KEYS[3] update channel; a sharded one if its name has a hash tag
-- KEYS[4] snapshot
-- ARGV[1] head of the message, as in record.lua
-- ARGV[2] id
-- ARGV[3] TTL of the kind, ms
-- ARGV[4] 'at' for a removal as of ARGV[5], 'not_before' for one as of now by Redis's clock, but never before ARGV[5], and after a fix
--         from the future, because a second copy of that may be on its way
-- ARGV[5] Unix ms
-- ARGV[6] Unix us at which the removal was received
-- Returns one of:
--   {Unix ms, Unix us}  the times of the removal as stored
--   false  a newer fix stays
-- The place of the Unix ms in a snapshot, as in record.lua.
local MS, MS_END = 10, 22
-- MGET returns nil for a key of another type.
local newest = redis.call('MGET', KEYS[4])[1]
local newest_ms = newest and tonumber(string.sub(newest, MS, MS_END)) or 0
-- 0 in a snapshot of an earlier release.
local newest_us = newest and tonumber(string.match(newest, '"rx_us":(%d+)')) or 0
local now, at, received = clock_ms(), tonumber(ARGV[5]), tonumber(ARGV[6])
-- A time further ahead was written before the clock was set back; see record.lua.
if newest_ms > now + 2 * MAX_AHEAD_MS then newest_ms = 0 end
if ARGV[4] == 'not_before' then
  at = math.max(now, at)
  if newest_ms > now then at = math.max(at, newest_ms + 1) end
  if newest_ms == at then received = math.max(received, newest_us + 1) end
elseif newest_ms > at or newest_ms == at and newest_us > received then
  return false
end
local tombstone = string.format('{"ts_ms":%.0f,"rx_us":%.0f,"id":"%s","deleted":true}', at, received, ARGV[2])
redis.call('SET', KEYS[4], tombstone, 'PXAT', string.format('%.0f', at + tonumber(ARGV[3])))
redis.call('ZREM', KEYS[1], ARGV[2])
local sequence = redis.call('INCR', KEYS[2])
publish(KEYS[3], ARGV[1] .. ',"seq":' .. sequence .. ',"removed":[' .. tombstone .. ']}')
return { at, received }
