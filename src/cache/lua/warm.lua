-- warm: takes the turn to warm the cache, or goes on with it, or ends it.
-- KEYS[1] turn
-- ARGV[1] token of whoever asks
-- ARGV[2] for how long from now on, ms
-- ARGV[3] '1' to end it: nobody else has a turn for so long
-- Returns {'yours', ms}; {'under way', ms}, somebody else has it for so long at least; {'done', ms}, it has been ended.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return { holder == 'done' and 'done' or 'under way', math.max(redis.call('PTTL', KEYS[1]), 0) }
end
redis.call('SET', KEYS[1], ARGV[3] == '1' and 'done' or ARGV[1], 'PX', ARGV[2])
return { 'yours', tonumber(ARGV[2]) }
