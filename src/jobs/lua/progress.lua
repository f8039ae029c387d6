-- progress: stores the progress of a leased job.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    wake-up channel
-- ARGV[2]    name of the queue
-- ARGV[3]    limits: done jobs and dead jobs kept, retention of dead jobs (ms), events kept, waiting jobs, bytes
-- ARGV[4]    short id
-- ARGV[5]    token
-- ARGV[6]    JSON without line ends
-- Returns one of:
--   {'ok'}
--   {'no', state}  the token does not hold the lease, or the lease has expired
--   {'unknown'}  there is no such job
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
local expired = call('ZRANGEBYSCORE', LEASED, '-inf', now_text, 'LIMIT', 0, 100)
if #expired > 0 then reclaim(expired, 100) end
line_up()
local r = find_job(ARGV[4])
local ends = tonumber(call('ZSCORE', LEASED, ARGV[4]) or 0)
local is_its = r and r.state == 'l' and r.token == ARGV[5] and ends > now
if is_its then
  local _, result, errors = parts(r.tail)
  r.tail = '\n' .. ARGV[6] .. '\n' .. result .. errors
  write_run(ARGV[4], r)
  note('progress', ARGV[4])
end
close()
if not r then return { 'unknown' } end
if not is_its then return { 'no', r.state } end
return { 'ok' }
