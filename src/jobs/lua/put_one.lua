-- Shared by scripts that add jobs one by one.

-- Adds one job.
local function put_one(id, number, due, flags, rest, place, created)
  local spec, run = records_of(number, due, flags, rest, place, created)
  call('HSET', SPECS, id, spec)
  resize(id, #spec)
  resize(id .. 'r', 0)
  if run then
    call('HSET', RUNS, id, run)
    will_be_due(due)
    call('ZADD', DELAYED, stamp(due), id)
  else
    call('HDEL', RUNS, id)
    make_ready(number, place, id)
    line_up()
  end
end
