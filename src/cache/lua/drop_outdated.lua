-- drop_outdated: removes those entries that began to be computed by a time, and tells every instance to forget them.
-- KEYS[1..] entries
-- ARGV[1] the time, Unix ms; one to come counts as now
-- ARGV[2] channel
-- ARGV[3] message
-- Returns how many were removed. One that began ahead of the clock began before the clock was set back, and so by now.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local by = math.min(tonumber(ARGV[1]), now)
local dropped = 0
for _, key in ipairs(KEYS) do
  local made = redis.pcall('GETRANGE', key, 16, 23)
  made = type(made) == 'string' and #made == 8 and struct.unpack('>I8', made)
  if made and (made <= by or made > now) then
    dropped = dropped + redis.call('UNLINK', key)
  end
end
-- Always: what an instance has in its memory may be older than what lies, or lies no more, here.
redis.call('PUBLISH', ARGV[2], ARGV[3])
return dropped
