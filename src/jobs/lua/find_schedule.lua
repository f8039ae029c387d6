-- find_schedule: returns one schedule of a queue. Read-only.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    name
-- Returns one of:
--   {'ok', now, all, name, due, record}  as in schedules.lua
--   {'ok', now, all}  the schedule does not exist
-- Repeatable: it only reads.
local due, record = call('ZSCORE', SCHEDULES_DUE, ARGV[1]), call('HGET', SCHEDULES, ARGV[1])
local out = { 'ok', now, call('HLEN', SCHEDULES) }
if due and record then out[4], out[5], out[6] = ARGV[1], due, record end
return out
