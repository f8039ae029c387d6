-- redrive: puts jobs that have been dead for longest back into their lines, but for those whose unique keys others have.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events, waiting jobs, bytes
-- ARGV[4]    at most so many, up to 100; fewer where they are long
-- ARGV[5]    how many of the first are passed over, as they stayed dead before
-- Returns {'ok', moved, stayed, left}: how many were moved, how many of those looked at stay dead, how many are dead; {'bound',
-- 'waiting'}: as many jobs wait as may, nothing is done; {'types', n} as lease.lua.
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
local ids, moved, gone = call('ZRANGE', DEAD, ARGV[5], ARGV[5] + ARGV[4] - 1), 0, 0
local room = most_waiting - held()
if #ids > 0 and room <= 0 then return { 'bound', 'waiting' } end
for i = #ids, room + 1, -1 do
  ids[i] = nil
end
local specs, n = within(SPECS, ids)
for i = 1, n do
  local id, run = ids[i], call('HGET', RUNS, ids[i])
  if not (run and specs[i]) then
    gone = gone + call('ZREM', DEAD, id)
  elseif revive(read(run, specs[i]), id) then
    moved = moved + 1
  end
end
line_up()
close()
return { 'ok', moved, n - moved - gone, call('ZCARD', DEAD) }
