-- Shared by scripts that bound a queue.

-- Returns the number of jobs that wait or are leased, and the size of the queue in bytes.
local function held()
  local jobs = call('HLEN', SPECS)
  local ended = call('ZCARD', DONE) + call('ZCARD', DEAD) + call('ZCARD', CANCELLED)
  return math.max(0, jobs - ended), SHORT * jobs + long_bytes
end
