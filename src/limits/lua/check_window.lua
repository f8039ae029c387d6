-- check_window: admits a cost if the window that ends now has room for it, or refuses it and changes nothing.
-- KEYS[1] what was admitted, oldest first: 'START:UNITS,' for each slice of the window, START in µs of Redis's clock
-- ARGV[1] window, µs
-- ARGV[2] length of a slice, µs; at least a 20th of the window
-- ARGV[3] quota, units
-- ARGV[4] cost, units; at most the quota
-- Returns {admitted 1 or 0, units that are left, µs until the cost could be admitted (0 if it was), µs until all units
--         are back, 1 if what was stored is no count of ours, else 0}.
-- A slice counts in full until its last moment has left the window: a unit comes back late, never early. What is no
-- count is taken for a quota spent just now and is written over, so that it limits and then ends.
local window, length = tonumber(ARGV[1]), tonumber(ARGV[2])
local quota, cost = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local current = now - now % length

local starts, units, n, used = {}, {}, 0, 0
local function count(start, admitted)
  if n > 0 and starts[n] == start then
    units[n] = units[n] + admitted
  else
    n = n + 1
    starts[n], units[n] = start, admitted
  end
  used = used + admitted
end

-- Of another type it is an error here, and no reason to let everything pass. We never write more than 21 slices.
local stored = redis.pcall('GET', KEYS[1])
local damaged, mended, at = 0, false, 1
if type(stored) ~= 'string' then
  damaged = stored and 1 or 0
else
  for _ = 1, 22 do
    if at > #stored then break end
    local _, last, start, admitted = string.find(stored, '^(%d+):(%d+),', at)
    if not last or last - at > 26 then break end
    at, start, admitted = last + 1, tonumber(start), tonumber(admitted)
    -- From the future: the clock was set back. It counts from now.
    if start > current then start, mended = current, true end
    if start + length > now - window then count(start, admitted) end
  end
  if at <= #stored or at == 1 then damaged = 1 end
end
if damaged == 1 then
  starts, units, n, used = {}, {}, 0, 0
  count(current, quota)
end

local admitted = used + cost <= quota
if admitted then count(current, cost) end
local back = n > 0 and starts[n] + length + window - now or 0
if admitted or mended or damaged == 1 then
  local slices = {}
  for i = 1, n do slices[i] = string.format('%.0f:%.0f,', starts[i], units[i]) end
  -- A millisecond more, because the key's time is counted in whole ones.
  redis.call('SET', KEYS[1], table.concat(slices), 'PX', string.format('%.0f', math.ceil(back / 1000) + 1))
end

local wait = 0
if not admitted then
  local missing = used + cost - quota
  for i = 1, n do
    missing = missing - units[i]
    wait = starts[i] + length + window - now
    if missing <= 0 then break end
  end
end
return { admitted and 1 or 0, math.max(0, quota - used), wait, back, damaged }
