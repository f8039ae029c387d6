-- drain: cancels waiting jobs, the first in line or the first that are due.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    wake-up channel
-- ARGV[2]    name of the queue
-- ARGV[3]    limits: done jobs and dead jobs kept, retention of dead jobs (ms), events kept, waiting jobs, bytes
-- ARGV[4]    state: 'r' for ready jobs, 'w' for delayed jobs
-- ARGV[5]    maximum number of jobs, up to 100; fewer if their records are long
-- Returns one of:
--   {'ok', cancelled, left}  the number of cancelled jobs, and of jobs left in the state
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
local sources, most, ids, left = {}, tonumber(ARGV[5]), {}, 0
if ARGV[4] == 'w' then
  sources[1] = DELAYED
else
  for number = 1, types do
    sources[number] = KEYS[LINES + number]
  end
end
for _, key in ipairs(sources) do
  left = left + call('ZCARD', key)
  if #ids < most then
    for _, id in ipairs(call('ZRANGE', key, 0, most - #ids - 1)) do
      ids[#ids + 1] = id
    end
  end
end
local specs, n = within(SPECS, ids)
for i = 1, n do
  local id = ids[i]
  -- An id without a spec is not a job.
  if not specs[i] then
    for _, key in ipairs(sources) do
      call('ZREM', key, id)
    end
  else
    local r = read(call('HGET', RUNS, id) or first_run(specs[i]), specs[i])
    take_out(r, id)
    end_cancelled(r, id)
  end
end
forget(CANCELLED, most_done, 2 * most)
close()
return { 'ok', n, left - n }
