-- charge: adds what an instance has admitted by its own share to the count of all instances, whatever that is.
-- KEYS[1] theoretical arrival time: when all that was admitted will have drained, µs of Redis's clock
-- ARGV[1] what to add, µs
-- ARGV[2] how long ago the first of it was admitted, µs: it has been draining since then
-- ARGV[3] the most that may be ahead, µs
-- Returns µs until all that was admitted will have drained.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local ago, most = tonumber(ARGV[2]), tonumber(ARGV[3])
local stored = redis.pcall('GET', KEYS[1])
local ahead = -ago
if type(stored) == 'string' and #stored <= 16 and string.find(stored, '^%d+$') then
  ahead = math.max(ahead, tonumber(stored) - now)
end
-- The bound also ends what a clock that was set back has left.
ahead = math.min(ahead + tonumber(ARGV[1]), most)
-- For as long as another instance may have admitted before now what it will tell.
local lives = string.format('%.0f', math.ceil((math.max(ahead, 0) + ago) / 1000) + 1)
redis.call('SET', KEYS[1], string.format('%.0f', now + ahead), 'PX', lives)
return math.max(ahead, 0)
