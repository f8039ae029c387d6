-- Shared by scripts that delay jobs.

-- When the first delayed job is due; read at the first use, before a job is added.
local first_due
-- Records that a job is about to be delayed until `due`. If it becomes the first delayed job, waiting workers are woken.
local function will_be_due(due)
  if not first_due then first_due = tonumber(call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')[2]) or math.huge end
  if due < first_due then first_due, woken = due, true end
end
