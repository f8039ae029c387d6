-- Shared by what bounds a queue.

-- How many jobs wait or are leased, and how many bytes the queue holds.
local function held()
  local jobs = call('HLEN', SPECS)
  local ended = call('ZCARD', DONE) + call('ZCARD', DEAD) + call('ZCARD', CANCELLED)
  return math.max(0, jobs - ended), SHORT * jobs + long_bytes
end
