-- drop_outdated: removes the entries whose computation began by a time, and publishes their invalidation.
-- KEYS[1..] entries
-- ARGV[1] the time, Unix ms; a future time counts as now
-- ARGV[2] channel
-- ARGV[3] message
-- Returns how many were removed.
-- A beginning in the future means that the clock was set back since; it counts as now.
-- Where an entry has the time at which its computation began, counted from 0.
local MADE, MADE_END, MADE_BYTES = 16, 23, 8
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local by = math.min(tonumber(ARGV[1]), now)
local dropped = 0
for _, key in ipairs(KEYS) do
  local made = redis.pcall('GETRANGE', key, MADE, MADE_END)
  made = type(made) == 'string' and #made == MADE_BYTES and struct.unpack('>I8', made)
  if made and (made <= by or made > now) then
    dropped = dropped + redis.call('UNLINK', key)
  end
end
-- Always: an instance may have an older entry in its memory than Redis, or one that Redis has removed.
redis.call('PUBLISH', ARGV[2], ARGV[3])
return dropped
