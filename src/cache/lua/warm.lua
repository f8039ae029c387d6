-- warm: takes, extends or ends the lease of warming the cache.
-- KEYS[1] lease
-- ARGV[1] token of the caller
-- ARGV[2] its duration from now on, ms
-- ARGV[3] '1' to end it: for that time only callers that ignore the end can take it
-- ARGV[4] '1' to ignore the end of the last warming
-- Returns one of:
--   {'yours', ms}  the caller has it for this time
--   {'under way', ms}  another caller has it for at least this time
--   {'done', ms}  the last warming has ended; only callers that ignore the end can take it for this time
-- A TTL above this is longer than a turn or the pause after one: the clock was set back since, and the key counts as expired.
local LONGEST_MS = 120000
local holder, left = redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])
if left > LONGEST_MS then holder = false end
if holder and holder ~= ARGV[1] and not (holder == 'done' and ARGV[4] == '1') then
  return { holder == 'done' and 'done' or 'under way', math.max(left, 0) }
end
redis.call('SET', KEYS[1], ARGV[3] == '1' and 'done' or ARGV[1], 'PX', ARGV[2])
return { 'yours', tonumber(ARGV[2]) }
