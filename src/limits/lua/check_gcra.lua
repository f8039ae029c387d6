-- check_gcra: admits a cost by the generic cell rate algorithm, or refuses it and changes nothing.
-- KEYS[1] theoretical arrival time: when all admitted units are refilled, µs of Redis's clock
-- ARGV[1] emission interval, µs per unit
-- ARGV[2] burst, units
-- ARGV[3] cost, units; at most the burst
-- Returns {admitted 1 or 0, remaining units, µs until the cost could be admitted (0 if it was), µs until all units
--         are refilled, 1 if the stored value is not a time, else 0}.
-- A value that is not a time is treated as a used-up burst and overwritten, so that it limits once and expires.
-- The maximum number of digits of a time.
local TIME_DIGITS = 16
local interval, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = interval * burst

-- A key of another type causes an error here, and is treated in the same way: it must not disable the limit.
local stored = redis.pcall('GET', KEYS[1])
local ahead, damaged, mended = 0, 0, false
if type(stored) == 'string' and #stored <= TIME_DIGITS and string.find(stored, '^%d+$') then
  ahead = math.max(0, tonumber(stored) - now)
  -- Further ahead than any call sets it: the clock was set back, or the policy was made stricter.
  if ahead > full then ahead, mended = full, true end
elseif stored then
  ahead, damaged = full, 1
end

local wanted = ahead + interval * cost
local admitted = wanted <= full
if admitted then ahead = wanted end
if admitted or mended or damaged == 1 then
  -- A millisecond more, because a TTL has whole milliseconds, and the key must not expire before the debt is drained.
  local lives = string.format('%.0f', math.ceil(ahead / 1000) + 1)
  redis.call('SET', KEYS[1], string.format('%.0f', now + ahead), 'PX', lives)
end
return { admitted and 1 or 0, math.floor((full - ahead) / interval), admitted and 0 or wanted - full, ahead, damaged }
