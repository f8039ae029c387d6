-- renew: lets a holder's grant last longer; never shorter.
-- KEYS[1] lock
-- ARGV[1] the holder's token
-- ARGV[2] for how long from now on, ms; '' for as long as it was granted
-- ARGV[3] how long the last fence is remembered, ms
-- Returns {outcome, owner, fence, until, now}. Outcomes: 'renewed'; 'other', somebody else holds it, with who; 'free',
-- nobody does, so that a grant which has ended stays ended.
-- Repeatable: a grant is never shortened.
local now, from = milliseconds(clock_us())
local token, owner, ttl_ms, until_ms, _, _, _, fence, _, longest_ms = read(KEYS[1], now)
if until_ms <= now then return { 'free', '', 0, 0, from } end
if token ~= ARGV[1] then return { 'other', owner, fence, until_ms, from } end
local lasts_ms = tonumber(ARGV[2]) or tonumber(ttl_ms)
until_ms = math.max(until_ms, from + lasts_ms)
-- Redis that has no memory left refuses a script's HSET, but not where the script has written before: who holds a lock keeps it.
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[1], 'until_ms', until_ms, 'longest_ms', math.max(longest_ms, lasts_ms))
return { 'renewed', owner, fence, until_ms, from }
