-- Shared by the scripts of the slice: Redis's clock, and whole numbers as text. What Lua makes of a large number by itself
-- has 14 digits.
local call = redis.call

local function now_us()
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end

local function now_ms() return math.floor(now_us() / 1000) end

local function text(n) return string.format('%.0f', n) end

-- An answer of several values is one text, a value a line: that costs both sides less than a list. Neither ids, numbers nor
-- compact JSON have line breaks.
local function lines(values) return table.concat(values, '\n') end

