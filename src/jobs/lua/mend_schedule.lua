-- mend_schedule: corrects when a schedule is due, after the clock was set back or the rules of its time zone have changed.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    the schedule
-- ARGV[2]    when it was seen to be due
-- ARGV[3]    what it was seen to be, as `schedules` returns it
-- ARGV[4]    when it is due
-- Returns {'ok', 1 if that was done, 0 if it was changed or is due at another time by now}; {'types', n} as lease.lua.
if unknown then return { 'types', types } end
if call('ZSCORE', SCHEDULES_DUE, ARGV[1]) ~= ARGV[2] or call('HGET', SCHEDULES, ARGV[1]) ~= ARGV[3] then return { 'ok', 0 } end
call('ZADD', SCHEDULES_DUE, ARGV[4], ARGV[1])
return { 'ok', 1 }
