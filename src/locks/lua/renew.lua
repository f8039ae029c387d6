-- renew: extends the lease of a grant; never shortens it.
-- KEYS[1] lock
-- ARGV[1] the holder's token
-- ARGV[2] duration from now on, ms; '' for the duration that it was granted for
-- ARGV[3] how long the last fence is kept, ms
-- Returns {outcome, owner, fence, until, now}. The outcome is one of:
--   'renewed'
--   'other'  another token holds the lock; with its holder
--   'free'  the lock is not held: a grant that has ended is not revived
-- Repeatable: a grant is never shortened.
local now, from = milliseconds(clock_us())
local token, owner, ttl_ms, until_ms, _, _, _, fence, _, longest_ms = read(KEYS[1], now)
if until_ms <= now then return { 'free', '', 0, 0, from } end
if token ~= ARGV[1] then return { 'other', owner, fence, until_ms, from } end
local lasts_ms = tonumber(ARGV[2]) or tonumber(ttl_ms)
until_ms = math.max(until_ms, from + lasts_ms)
-- When its memory is full Redis refuses a script's HSET, unless the script has written before. PEXPIRE is that first write, so that a
-- holder can keep its lock.
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[1], 'until_ms', until_ms, 'longest_ms', math.max(longest_ms, lasts_ms))
return { 'renewed', owner, fence, until_ms, from }
