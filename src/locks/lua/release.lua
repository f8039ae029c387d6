-- release: ends a grant, and offers the lock to the attempt that has waited longest.
-- KEYS[1] lock
-- KEYS[2] queue
-- ARGV[1] the holder's token
-- ARGV[2] wake channel, without the instance
-- ARGV[3] duration of an offer, ms
-- ARGV[4] maximum wait, ms
-- Returns {outcome, owner, fence, until, now}. The outcome is one of:
--   'released'  now, or this token was released last
--   'other'  another token holds the lock; with its holder
--   'free'  the lock is not held
-- Repeatable: a call with the token that was released last gets the same answer.
local now_us = clock_us()
local now, from = milliseconds(now_us)
local token, owner, _, until_ms, _, _, _, fence, last = read(KEYS[1], now)
local is_held = until_ms > now
if is_held and token == ARGV[1] then
  free(KEYS[1])
  redis.call('HSET', KEYS[1], 'last', token)
  hand_over(KEYS[1], KEYS[2], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), now_us)
  return { 'released', owner, fence, from, from }
end
if last == ARGV[1] then return { 'released', '', 0, 0, from } end
if is_held then return { 'other', owner, fence, until_ms, from } end
return { 'free', '', 0, 0, from }
