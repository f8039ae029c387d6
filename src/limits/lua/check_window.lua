-- check_window: admits a cost if the window that ends now has room for it, or refuses it and changes nothing.
-- KEYS[1] what was admitted, big-endian: length of a slice and beginning of the newest (8 bytes each, µs of Redis's clock),
--         then the units of 21 slices (4 bytes each), from the newest to the oldest, which is about to leave the window
-- ARGV[1] length of a slice, µs: a 20th of the window, rounded up
-- ARGV[2] quota, units
-- ARGV[3] cost, units; at most the quota
-- Returns {admitted 1 or 0, remaining units, µs until the cost could be admitted (0 if it was), µs until all units
--         are refilled, 1 if the stored value is not a count, else 0}.
-- A slice counts in full until its last moment has left the window, so a unit is refilled late, never early. A value that is not a
-- count is treated as a quota that was used up just now, and overwritten, so that it limits once and expires.
-- Packed, because reading and writing 21 numbers as text takes five times as long as everything else here.
local form = '>I8I8I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4'
local length, quota, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local current = now - now % length

-- slices[3] is the current one, slices[23] the one that leaves next; [24] is the position after the last one.
local slices = { length, current, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
local used, damaged, mended = 0, 0, false

-- A key of another type causes an error here, and is treated in the same way: it must not disable the limit.
local stored = redis.pcall('GET', KEYS[1])
if type(stored) == 'string' and #stored == 100 then
  local was = { struct.unpack(form, stored) }
  for i = 3, 23 do used = used + was[i] end
  local passed = (current - was[2]) / length
  if was[1] ~= length or passed < 0 or passed % 1 ~= 0 then
    -- The policy was changed, or the clock was set back: all of it counts from now.
    mended, used = true, math.min(used, quota)
    slices[3] = used
  elseif passed == 0 then
    slices = was
  else
    used = 0
    for i = 3 + passed, 23 do
      slices[i], used = was[i - passed], used + was[i - passed]
    end
  end
elseif stored then
  damaged, used = 1, quota
  slices[3] = quota
end

local admitted = used + cost <= quota
if admitted then slices[3], used = slices[3] + cost, used + cost end

-- A slice has left 21 slices after it began.
local function leaves(i) return current + (24 - i) * length - now end
local newest = 3
while newest < 23 and slices[newest] == 0 do newest = newest + 1 end
local back = used > 0 and leaves(newest) or 0
if admitted or mended or damaged == 1 then
  -- A millisecond more, because the key's time is counted in whole ones.
  local lives = string.format('%.0f', math.ceil(back / 1000) + 1)
  redis.call('SET', KEYS[1], struct.pack(form, unpack(slices, 1, 23)), 'PX', lives)
end

local wait = 0
if not admitted then
  local missing, i = used + cost - quota, 24
  while missing > 0 do
    i = i - 1
    missing = missing - slices[i]
  end
  wait = leaves(i)
end
return { admitted and 1 or 0, math.max(0, quota - used), wait, back, damaged }
