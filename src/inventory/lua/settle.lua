-- settle: says when to look after the parts of a reservation again that has them elsewhere.
-- KEYS[1] reservations
-- KEYS[2] reservations with parts elsewhere, by when those are looked after
-- ARGV[1] id
-- ARGV[2] ms until they are to be looked after again; '' if they are all forgotten: then it is as well
-- Returns {'done'}.
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[2], 'XX', time[1] * 1000 + tonumber(ARGV[2]), ARGV[1])
end
return { 'done' }
