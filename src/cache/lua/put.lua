-- put: writes entries, whatever lies there, and tells every instance to forget them.
-- KEYS[1..] entries
-- ARGV[1] channel
-- ARGV[2] message
-- ARGV[3..] for each: for how long, ms, and the entry
-- Returns how many were written.
for i, key in ipairs(KEYS) do
  redis.call('SET', key, ARGV[2 * i + 2], 'PX', ARGV[2 * i + 1])
end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return #KEYS
