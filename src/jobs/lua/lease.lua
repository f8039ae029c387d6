-- lease: hands out the first jobs in line, each until a deadline.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events, waiting jobs, bytes
-- ARGV[4]    token of the leases
-- ARGV[5]    at most so many
-- ARGV[6]    for how long, ms
-- ARGV[7]    name of the call
-- ARGV[8]    at most so many bytes of specs, or the first job alone
-- ARGV[9..]  of these types; of all if none is named
-- Returns {'ok', now, due, {id, attempt, spec}...}, flat: where there was none, when something is due next, 0 for nothing; or
-- {'types', n}, and nothing is done: the caller has to know of n types.
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
promote(100)
local ran_out = call('ZRANGEBYSCORE', LEASED, '-inf', now_text, 'LIMIT', 0, 100)
if #ran_out > 0 then reclaim(ran_out, 100) end
line_up()
local out = { 'ok', now }
lease(out, ARGV[4], ARGV[7], tonumber(ARGV[5]), tonumber(ARGV[8]), tonumber(ARGV[6]), { unpack(ARGV, 9) })
close()
return out
