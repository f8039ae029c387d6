-- lease: leases the first jobs in line.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    wake-up channel
-- ARGV[2]    name of the queue
-- ARGV[3]    limits: done jobs and dead jobs kept, retention of dead jobs (ms), events kept, waiting jobs, bytes
-- ARGV[4]    token of the leases
-- ARGV[5]    maximum number of jobs
-- ARGV[6]    duration of the leases, ms
-- ARGV[7]    name of the call
-- ARGV[8]    maximum size of the specs, bytes; a single larger job is leased alone
-- ARGV[9..]  types to lease; all types if none is named
-- Returns one of:
--   {'ok', now, due, {id, attempt, spec}...}  flat; if there is no job, `due` is when the next job is due, 0 for never
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
promote(100)
local expired = call('ZRANGEBYSCORE', LEASED, '-inf', now_text, 'LIMIT', 0, 100)
if #expired > 0 then reclaim(expired, 100) end
line_up()
local out = { 'ok', now }
lease(out, ARGV[4], ARGV[7], tonumber(ARGV[5]), tonumber(ARGV[8]), tonumber(ARGV[6]), { unpack(ARGV, 9) })
close()
return out
