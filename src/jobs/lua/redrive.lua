-- redrive: puts the jobs that have been dead for longest back into their lines, but for those whose unique keys others have.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events
-- ARGV[4]    at most so many, up to 1000
-- Returns {'ok', moved, left}; {'types', n} as lease.lua.
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
local ids, moved = call('ZRANGE', DEAD, 0, ARGV[4] - 1), 0
if #ids > 0 then
  local runs, specs = call('HMGET', RUNS, unpack(ids)), call('HMGET', SPECS, unpack(ids))
  for i, id in ipairs(ids) do
    if not (runs[i] and specs[i]) then
      call('ZREM', DEAD, id)
    elseif revive(read(runs[i], specs[i]), id) then
      moved = moved + 1
    end
  end
end
line_up()
close()
return { 'ok', moved, call('ZCARD', DEAD) }
