-- outdate: invalidates what depends on versions and whose computation began by a time, and publishes that.
-- KEYS[1..] versions
-- ARGV[1] the time, Unix ms; a future time counts as now
-- ARGV[2] channel
-- ARGV[3] message
-- Returns how many changed. Nothing depends on a missing version, and a version with a later time stays unchanged.
local time = redis.call('TIME')
local by = math.min(tonumber(ARGV[1]), time[1] * 1000 + math.floor(time[2] / 1000))
local changed = 0
for _, key in ipairs(KEYS) do
  local version = redis.pcall('GET', key)
  if type(version) == 'string' and #version == 24 and struct.unpack('>I8', version, 17) < by then
    redis.call('SET', key, string.sub(version, 1, 16) .. struct.pack('>I8', by), 'KEEPTTL')
    changed = changed + 1
  end
end
-- Always: what an instance has in its memory may depend on a version that is not there any more.
redis.call('PUBLISH', ARGV[2], ARGV[3])
return changed
