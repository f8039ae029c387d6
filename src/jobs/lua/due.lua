-- Shared by what delays jobs.

-- When the first delayed job is due; read when it is first needed, before a job is added.
local first_due
-- Notes that a job is about to be delayed until then. If it will be the first, the waiting workers have to look again.
local function will_be_due(due)
  if not first_due then first_due = tonumber(call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')[2]) or math.huge end
  if due < first_due then first_due, woken = due, true end
end
