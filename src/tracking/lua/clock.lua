-- Shared by the scripts that compare times.

-- A time further ahead than this was written before the clock was set back; any value replaces it.
local MAX_AHEAD_MS = 60000
local function clock_ms()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end
