-- retry: makes a delayed job ready now, and one that is dead or was cancelled ready again.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events, waiting jobs, bytes
-- ARGV[4]    short id
-- Returns {'ok'}, also for one that is ready; {'no', state}: it is leased or done, or another has its unique key; {'unknown'};
-- {'bound', 'waiting'}: as many jobs wait as may; {'types', n} as lease.lua.
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
