-- inspect: returns the holder of the lock, its end, and the number of waiting attempts.
-- KEYS[1] lock
-- KEYS[2] queue
-- ARGV[1] maximum wait, ms
-- Returns {outcome, owner, fence, until, now, waiting}. The outcome is one of:
--   'held'
--   'free'
-- Repeatable: it reads, and limits an end that is too far ahead.
local now_us = clock_us()
local now, from = milliseconds(now_us)
local _, owner, _, until_ms, _, _, _, fence = read(KEYS[1], now)
local waiting = redis.call('ZCOUNT', KEYS[2], now_us - tonumber(ARGV[1]) * 1000, '+inf')
if until_ms <= now then return { 'free', '', 0, 0, from, waiting } end
return { 'held', owner, fence, until_ms, from, waiting }
