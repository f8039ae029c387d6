-- unregister: deletes the registration of a queue that was not registered for a time.
-- KEYS[1]  set of queues, by the time of their last registration
-- ARGV[1]  name of the queue
-- ARGV[2]  that time, s
-- Returns one of:
--   1  deleted
--   0  registered more recently, or not registered
local time = redis.call('TIME')
local last = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not last or time[1] - last < tonumber(ARGV[2]) then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])
