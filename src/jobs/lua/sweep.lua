-- sweep: does what is due in a queue that perhaps nobody calls: promotes, takes back and forgets, in a bounded piece.
--        After the clock was set back it limits the times of jobs to their durations, counted from now on, in pieces.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events, waiting jobs, bytes
-- ARGV[4]    at most so many of each kind, up to 500
-- ARGV[5]    '1' to forget a queue that has nothing: no job, key or schedule, and is not paused
-- Returns {'ok', behind, empty, active, waiting, bytes}: 1 if there may be more to do, 1 if the queue has nothing, 1 if something is
-- leased or delayed; how many jobs wait or are leased, how many bytes the queue holds; {'types', n} as lease.lua.
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
local most = tonumber(ARGV[4])
local is_mending = mend_times()
local behind = promote(most) == most or is_mending
local ran_out = call('ZRANGEBYSCORE', LEASED, '-inf', now_text, 'LIMIT', 0, most)
if #ran_out > 0 then behind = reclaim(ran_out, most) or behind end
line_up()
behind = forget(DONE, most_done, most) == most or behind
behind = forget(DEAD, most_dead, most) == most or behind
behind = forget(CANCELLED, most_done, most) == most or behind
behind = forget_keys(most) == most or behind
close()
local empty = not paused and call('EXISTS', SPECS, UNIQUE_ENDS, SCHEDULES) == 0
if empty and ARGV[5] == '1' then call('DEL', META, EVENTS, UNIQUE, RUNS, LEASED, CALLS, SIZES) end
local active = call('ZCOUNT', LEASED, '-inf', '(+inf') > 0 or call('EXISTS', DELAYED) == 1
local waiting, bytes = held()
return { 'ok', behind and 1 or 0, empty and 1 or 0, active and 1 or 0, waiting, bytes }
