-- charge: adds what an instance has admitted by its own share to the count of all instances, whatever that is.
-- KEYS[1] when it was written and when all that was admitted will have drained, µs of Redis's clock, a space between
-- ARGV[1] what to add, µs
-- ARGV[2] how long ago the first of it was admitted, µs: it has been draining since then
-- ARGV[3] the most that may be ahead, µs
-- ARGV[4] a burst, µs
-- Returns {µs until all that was admitted will have drained, 1 if what was stored is no count of ours, else 0}.
-- What is no count stands for a spent burst and is written over, so that it limits and then ends.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local ago, most, full = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

-- Of another type it is an error here, and no reason to forget it.
local stored = redis.pcall('GET', KEYS[1])
local ahead, damaged = -ago, 0
if stored then
  local written, drained
  if type(stored) == 'string' and #stored <= 33 then written, drained = string.match(stored, '^(%d+) (%d+)$') end
  if written then
    -- Written later than now: the clock was set back. What was owed then is owed now, but not the time that is lived again.
    ahead = math.max(ahead, tonumber(drained) - math.max(now, tonumber(written)))
    -- Further than any call leaves it: the policy was made stricter.
    if ahead > most then ahead = full end
  else
    ahead, damaged = full, 1
  end
end
ahead = math.min(ahead + tonumber(ARGV[1]), most)
-- For as long as another instance may have admitted before now what it will tell.
local lives = string.format('%.0f', math.ceil((math.max(ahead, 0) + ago) / 1000) + 1)
redis.call('SET', KEYS[1], string.format('%.0f %.0f', now, now + ahead), 'PX', lives)
return { math.max(ahead, 0), damaged }
