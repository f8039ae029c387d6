-- check_gcra: admits a cost by the generic cell rate algorithm, or refuses it and changes nothing.
-- KEYS[1] theoretical arrival time: when all that was admitted will have drained, µs of Redis's clock
-- ARGV[1] emission interval, µs a unit
-- ARGV[2] burst, units
-- ARGV[3] cost, units; at most the burst
-- Returns {admitted 1 or 0, units that are left, µs until the cost could be admitted (0 if it was), µs until all units
--         are back, 1 if what was stored is no time of ours, else 0}.
-- What is no time counts as an exhausted burst and is written over, so that it limits and then ends.
local interval, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = interval * burst

-- Of another type it is an error here, and no reason to let everything pass.
local stored = redis.pcall('GET', KEYS[1])
local ahead, damaged, mended = 0, 0, false
if type(stored) == 'string' and #stored <= 16 and string.find(stored, '^%d+$') then
  ahead = math.max(0, tonumber(stored) - now)
  -- Further ahead than any call leaves it: the clock was set back, or the policy was made stricter.
  if ahead > full then ahead, mended = full, true end
elseif stored then
  ahead, damaged = full, 1
end

local wanted = ahead + interval * cost
local admitted = wanted <= full
if admitted then ahead = wanted end
if admitted or mended or damaged == 1 then
  -- A millisecond more, because the key's time is counted in whole ones: it must not end before the debt.
  local lives = string.format('%.0f', math.ceil(ahead / 1000) + 1)
  redis.call('SET', KEYS[1], string.format('%.0f', now + ahead), 'PX', lives)
end
return { admitted and 1 or 0, math.floor((full - ahead) / interval), admitted and 0 or wanted - full, ahead, damaged }
