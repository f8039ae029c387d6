-- extend: lets a lease last for a time from now on; never shorter than it would, nor longer than the job may run.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events, waiting jobs, bytes
-- ARGV[4]    short id
-- ARGV[5]    token
-- ARGV[6]    for how long, ms
-- Returns {'ok', until, now}; {'no', state}: the lease is not that token's or is over; {'unknown'}; {'types', n} as lease.lua.
-- Repeatable: a lease is never shortened.
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
local ran_out = call('ZRANGEBYSCORE', LEASED, '-inf', now_text, 'LIMIT', 0, 100)
if #ran_out > 0 then reclaim(ran_out, 100) end
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
