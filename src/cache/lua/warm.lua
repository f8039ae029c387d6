-- warm: takes the turn to warm the cache, or goes on with it, or ends it.
-- KEYS[1] turn
-- ARGV[1] token of whoever asks
-- ARGV[2] for how long from now on, ms
-- ARGV[3] '1' to end it: for so long nobody else has a turn who does not pass over that
-- ARGV[4] '1' to pass over a turn that has been ended
-- Returns {'yours', ms}; {'under way', ms}, somebody else has it for so long at least; {'done', ms}, it has been ended.
-- A TTL above this is longer than a turn or the pause after one: the clock was set back since, and the key counts as expired.
local LONGEST_MS = 120000
local holder, left = redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])
if left > LONGEST_MS then holder = false end
if holder and holder ~= ARGV[1] and not (holder == 'done' and ARGV[4] == '1') then
  return { holder == 'done' and 'done' or 'under way', math.max(left, 0) }
end
redis.call('SET', KEYS[1], ARGV[3] == '1' and 'done' or ARGV[1], 'PX', ARGV[2])
return { 'yours', tonumber(ARGV[2]) }
