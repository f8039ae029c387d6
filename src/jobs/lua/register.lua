-- register: notes a queue, as one that is in use or has schedules.
-- KEYS[1]  set of queues, by when they were noted last
-- ARGV[1]  the queue's name
-- ARGV[2]  how many there may be
-- Returns 1; 0 if there are too many others.
local time = redis.call('TIME')
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], time[1], ARGV[1])
return 1
