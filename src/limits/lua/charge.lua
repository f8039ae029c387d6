-- charge: adds what an instance has admitted by its own share to the count of all instances, without a limit.
-- KEYS[1] when it was written and when all admitted units are refilled, µs of Redis's clock, separated by a space
-- ARGV[1] time to add, µs
-- ARGV[2] how long ago the first of these requests was admitted, µs: the debt has been draining since then
-- ARGV[3] maximum time ahead, µs
-- ARGV[4] a burst, µs
-- Returns {µs until all admitted units are refilled, 1 if the stored value is not a count, else 0}.
-- A value that is not a count is treated as a used-up burst and overwritten, so that it limits once and expires.
-- The maximum length of the value: two times of 16 digits, and the space.
local MOST_BYTES = 33
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local ago, most, full = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

-- A key of another type causes an error here, and is treated in the same way.
local stored = redis.pcall('GET', KEYS[1])
local ahead, damaged = -ago, 0
if stored then
  local written, drained
  if type(stored) == 'string' and #stored <= MOST_BYTES then written, drained = string.match(stored, '^(%d+) (%d+)$') end
  if written then
    -- If it was written later than now, the clock was set back: the debt is the same as when it was written.
    ahead = math.max(ahead, tonumber(drained) - math.max(now, tonumber(written)))
    -- Further ahead than any call sets it: the policy was made stricter.
    if ahead > most then ahead = full end
  else
    ahead, damaged = full, 1
  end
end
ahead = math.min(ahead + tonumber(ARGV[1]), most)
-- Kept while another instance may still report requests that it admitted before now.
local lives = string.format('%.0f', math.ceil((math.max(ahead, 0) + ago) / 1000) + 1)
redis.call('SET', KEYS[1], string.format('%.0f %.0f', now, now + ahead), 'PX', lives)
return { math.max(ahead, 0), damaged }
