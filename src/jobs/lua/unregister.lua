-- unregister: forgets a queue that has not been noted for a time.
-- KEYS[1]  set of queues
-- ARGV[1]  the queue's name
-- ARGV[2]  for how long, s
-- Returns 1 if it is forgotten, else 0.
local time = redis.call('TIME')
local last = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not last or time[1] - last < tonumber(ARGV[2]) then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])
