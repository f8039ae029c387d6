-- register: registers a queue as in use, or as having schedules.
-- KEYS[1]  set of queues, by the time of their last registration
-- ARGV[1]  name of the queue
-- ARGV[2]  maximum number of queues
-- Returns one of:
--   1  registered
--   0  there are too many other queues
local time = redis.call('TIME')
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], time[1], ARGV[1])
return 1
