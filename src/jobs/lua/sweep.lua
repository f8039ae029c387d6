-- sweep: does what is due in a queue, in a bounded piece: promotes delayed jobs, reclaims expired leases, deletes old jobs.
-- After the clock was set back, it also limits the times of jobs to their durations, counted from now on.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    wake-up channel
-- ARGV[2]    name of the queue
-- ARGV[3]    limits: done jobs and dead jobs kept, retention of dead jobs (ms), events kept, waiting jobs, bytes
-- ARGV[4]    maximum number of jobs of each kind, up to 500
-- ARGV[5]    '1' to delete the queue if it is empty
-- Returns one of:
--   {'ok', behind, empty, active, waiting, bytes}  1 if there may be more to do; 1 if the queue has no job, key or schedule and is not
--       paused; 1 if a job is leased or delayed; the number of jobs that wait or are leased; the size of the queue
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
local most = tonumber(ARGV[4])
local is_mending = mend_times()
local behind = promote(most) == most or is_mending
local expired = call('ZRANGEBYSCORE', LEASED, '-inf', now_text, 'LIMIT', 0, most)
if #expired > 0 then behind = reclaim(expired, most) or behind end
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
