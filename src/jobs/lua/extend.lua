-- extend: extends a lease; never shortens it, and never beyond the time limit of the job. Safe to repeat.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    wake-up channel
-- ARGV[2]    name of the queue
-- ARGV[3]    limits: done jobs and dead jobs kept, retention of dead jobs (ms), events kept, waiting jobs, bytes
-- ARGV[4]    short id
-- ARGV[5]    token
-- ARGV[6]    duration from now on, ms
-- Returns one of:
--   {'ok', until, now}  the new end of the lease
--   {'no', state}  the token does not hold the lease, or the lease has expired
--   {'unknown'}  there is no such job
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
-- Repeatable: a lease is never shortened.
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
local expired = call('ZRANGEBYSCORE', LEASED, '-inf', now_text, 'LIMIT', 0, 100)
if #expired > 0 then reclaim(expired, 100) end
line_up()
close()
local r = find_job(ARGV[4])
if not r then return { 'unknown' } end
local was = tonumber(call('ZSCORE', LEASED, ARGV[4]) or 0)
if r.state ~= 'l' or r.token ~= ARGV[5] or was <= now then return { 'no', r.state } end
local ends = from + ARGV[6]
if r.limit > 0 then ends = math.min(ends, tonumber(r.leased) + r.limit) end
ends = math.max(ends, was)
call('ZADD', LEASED, 'XX', ends, ARGV[4])
return { 'ok', ends, now }
