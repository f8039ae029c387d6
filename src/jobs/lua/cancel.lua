-- cancel: ends a job that has not ended, wherever it is.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events, waiting jobs, bytes
-- ARGV[4]    short id; '' for the job that has the unique key
-- ARGV[5]    unique key, '' if the id is given
-- Returns {'ok', id}, also for one that was cancelled before; {'no', state}: it has ended; {'unknown'}; {'types', n} as lease.lua. Its
-- unique key is free then; but for 'ok' nothing is changed.
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
local id = ARGV[4]
if id == '' then
  id = holder_of(ARGV[5])
  if not id then return { 'unknown' } end
end
local r = find_job(id)
if not r then return { 'unknown' } end
if r.state == 'c' then return { 'ok', id } end
if r.state == 'd' or r.state == 'x' then return { 'no', r.state } end
take_out(r, id)
end_cancelled(r, id)
forget(CANCELLED, most_done, 100)
close()
return { 'ok', id }
