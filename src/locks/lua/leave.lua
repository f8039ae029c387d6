-- leave: removes everything that an attempt has obtained: its place in the queue, an offer, or a grant whose reply was lost.
-- KEYS[1] lock
-- KEYS[2] queue
-- ARGV[1] attempt
-- ARGV[2] wake channel, without the instance
-- ARGV[3] duration of an offer, ms
-- ARGV[4] maximum wait, ms
-- Returns one of:
--   1  something was removed
--   0  there was nothing to remove
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
