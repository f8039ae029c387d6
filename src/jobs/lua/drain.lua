-- drain: cancels jobs that wait, the first in line or the first that are due.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events, waiting jobs, bytes
-- ARGV[4]    state: 'r' for ready jobs, 'w' for delayed ones
-- ARGV[5]    at most so many, up to 100; fewer where they are long
-- Returns {'ok', cancelled, left}: how many were cancelled, how many are in that state; {'types', n} as lease.lua.
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
  -- What has no spec is no job, and only has a place.
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
