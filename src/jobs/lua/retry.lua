-- retry: makes a job ready now that is delayed, dead or cancelled.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    wake-up channel
-- ARGV[2]    name of the queue
-- ARGV[3]    limits: done jobs and dead jobs kept, retention of dead jobs (ms), events kept, waiting jobs, bytes
-- ARGV[4]    short id
-- Returns one of:
--   {'ok'}  the job is ready, now or before
--   {'no', state}  the job is leased or done, or another job has its unique key
--   {'unknown'}  there is no such job
--   {'bound', 'waiting'}  the queue is full
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
local id = ARGV[4]
local r = find_job(id)
if not r then return { 'unknown' } end
if r.state == 'l' or r.state == 'd' then return { 'no', r.state } end
if r.state == 'w' then
  take_out(r, id)
  r.state, r.since = 'r', now_text
  write_run(id, r)
  make_ready(r.number, r.place, id)
  note('ready', id)
elseif r.state ~= 'r' then
  if held() >= most_waiting then return { 'bound', 'waiting' } end
  if not revive(r, id) then return { 'no', r.state } end
end
line_up()
close()
return { 'ok' }
