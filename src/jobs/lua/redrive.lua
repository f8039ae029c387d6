-- redrive: moves the jobs that have been dead for longest back into their lines, unless other jobs have their unique keys.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    wake-up channel
-- ARGV[2]    name of the queue
-- ARGV[3]    limits: done jobs and dead jobs kept, retention of dead jobs (ms), events kept, waiting jobs, bytes
-- ARGV[4]    maximum number of jobs, up to 100; fewer if their records are long
-- ARGV[5]    number of dead jobs to skip, which stayed dead in an earlier call
-- Returns one of:
--   {'ok', moved, stayed, left}  the number of jobs that were moved, that stay dead, and that are dead now
--   {'bound', 'waiting'}  the queue is full: nothing is done
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
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
