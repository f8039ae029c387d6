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
local FORM, FORM_BYTES = '>I8I8I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4', 100
local length, quota, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local current = now - now % length

-- In `slices`: the length of a slice, the beginning of the newest, and the units from the current slice to the one that leaves next.
local LENGTH, BEGINNING, NEWEST, OLDEST = 1, 2, 3, 23
local slices = { length, current, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
local used, damaged, mended = 0, 0, false

-- A key of another type causes an error here, and is treated in the same way: it must not disable the limit.
local stored = redis.pcall('GET', KEYS[1])
if type(stored) == 'string' and #stored == FORM_BYTES then
  local was = { struct.unpack(FORM, stored) }
  for i = NEWEST, OLDEST do used = used + was[i] end
  local passed = (current - was[BEGINNING]) / length
  if was[LENGTH] ~= length or passed < 0 or passed % 1 ~= 0 then
    -- The policy was changed, or the clock was set back: all of it counts from now.
    mended, used = true, math.min(used, quota)
    slices[NEWEST] = used
  elseif passed == 0 then
    slices = was
  else
    used = 0
    for i = NEWEST + passed, OLDEST do
      slices[i], used = was[i - passed], used + was[i - passed]
    end
  end
elseif stored then
  damaged, used = 1, quota
  slices[NEWEST] = quota
end

local admitted = used + cost <= quota
if admitted then slices[NEWEST], used = slices[NEWEST] + cost, used + cost end

-- A slice has left 21 slices after it began.
local function leaves(i) return current + (OLDEST + 1 - i) * length - now end
local newest = NEWEST
while newest < OLDEST and slices[newest] == 0 do newest = newest + 1 end
local back = used > 0 and leaves(newest) or 0
if admitted or mended or damaged == 1 then
  -- A millisecond more, because the key's time is counted in whole ones.
  local lives = string.format('%.0f', math.ceil(back / 1000) + 1)
  redis.call('SET', KEYS[1], struct.pack(FORM, unpack(slices, 1, OLDEST)), 'PX', lives)
end

local wait = 0
if not admitted then
  local missing, i = used + cost - quota, OLDEST + 1
  while missing > 0 do
    i = i - 1
    missing = missing - slices[i]
  end
  wait = leaves(i)
end
return { admitted and 1 or 0, math.max(0, quota - used), wait, back, damaged }
