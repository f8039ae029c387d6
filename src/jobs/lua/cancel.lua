-- cancel: cancels a job that has not ended, and frees its unique key.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    wake-up channel
-- ARGV[2]    name of the queue
-- ARGV[3]    limits: done jobs and dead jobs kept, retention of dead jobs (ms), events kept, waiting jobs, bytes
-- ARGV[4]    short id; '' for the job that has the unique key
-- ARGV[5]    unique key; '' if the id is given
-- Returns one of:
--   {'ok', id}  the job is cancelled, now or before
--   {'no', state}  the job has ended
--   {'unknown'}  there is no such job
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
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
