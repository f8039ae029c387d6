-- mend_schedule: corrects when a schedule is due, after the clock was set back or the rules of its time zone have changed.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    name of the schedule
-- ARGV[2]    when it was due when it was read
-- ARGV[3]    its record when it was read, as schedules.lua returns it
-- ARGV[4]    when it is due
-- Returns one of:
--   {'ok', 1}  corrected
--   {'ok', 0}  the schedule has changed since it was read
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
if unknown then return { 'types', types } end
if call('ZSCORE', SCHEDULES_DUE, ARGV[1]) ~= ARGV[2] or call('HGET', SCHEDULES, ARGV[1]) ~= ARGV[3] then return { 'ok', 0 } end
call('ZADD', SCHEDULES_DUE, ARGV[4], ARGV[1])
return { 'ok', 1 }
