-- Shared by the scripts of the slice: Redis's clock, limits, and integers as text. Lua's own conversion of a number has only 14 digits.
local call = redis.call
-- The maximum number of sessions of a subject.
local MOST_SESSIONS = 512
-- How long the count of sessions in use is kept after the last use, ms.
local ACTIVE_MS = 600000

local function now_us()
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end

local function now_ms() return math.floor(now_us() / 1000) end

local function text(n) return string.format('%.0f', n) end

-- A reply of several values is one text with a value per line, which is faster for both sides than a list. Ids, numbers and compact
-- JSON contain no line breaks.
local function lines(values) return table.concat(values, '\n') end

