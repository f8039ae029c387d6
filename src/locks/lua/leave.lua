-- leave: takes back all that an attempt has come to, its place in the queue, an offer or a grant that nobody heard of.
-- KEYS[1] lock
-- KEYS[2] queue
-- ARGV[1] attempt
-- ARGV[2] wake channel, without the instance
-- ARGV[3] how long an offer stands, ms
-- ARGV[4] how long one may wait at most, ms
-- Returns 1 if there was something to take back, else 0.
local now_us = clock_us()
local now = milliseconds(now_us)
local left = redis.call('ZREM', KEYS[2], ARGV[1])
local _, _, _, until_ms, attempt, offer = read(KEYS[1], now)
if until_ms > now then
  if attempt ~= ARGV[1] then return left end
  free(KEYS[1])
elseif offer == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'offer', 'offer_ms')
else
  return left
end
hand_over(KEYS[1], KEYS[2], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), now_us)
return 1
