-- outdate: invalidates what depends on versions and whose computation began by a time, and publishes that.
-- KEYS[1..] versions
-- ARGV[1] the time, Unix ms; a future time counts as now
-- ARGV[2] channel
-- ARGV[3] message
-- Returns how many changed.
-- Nothing depends on a missing version, and a version with a later time stays unchanged.
-- The length of a version, and where the time begins up to which computations are outdated; see versions.lua.
local VERSION_BYTES, OUTDATED = 24, 17
local time = redis.call('TIME')
local by = math.min(tonumber(ARGV[1]), time[1] * 1000 + math.floor(time[2] / 1000))
local changed = 0
for _, key in ipairs(KEYS) do
  local version = redis.pcall('GET', key)
  if type(version) == 'string' and #version == VERSION_BYTES and struct.unpack('>I8', version, OUTDATED) < by then
    redis.call('SET', key, string.sub(version, 1, OUTDATED - 1) .. struct.pack('>I8', by), 'KEEPTTL')
    changed = changed + 1
  end
end
-- Always: what an instance has in its memory may depend on a version that is not there any more.
redis.call('PUBLISH', ARGV[2], ARGV[3])
return changed
