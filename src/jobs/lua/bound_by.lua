-- Shared by scripts that add jobs, for a queue that may be full.

-- Returns the bound that n more jobs of `bytes` bytes would exceed: 'waiting' or 'bytes', or nil if there is room. To make room it
-- deletes done jobs, then cancelled jobs, up to some 500 of each in a call.
local function bound_by(n, bytes)
  local waiting, all_bytes = held()
  if waiting + n > most_waiting then return 'waiting' end
  -- No job is deleted if there would be no room even then.
  if SHORT * (waiting + call('ZCARD', DEAD)) + bytes > most_bytes then return 'bytes' end
  for _, ended in ipairs({ DONE, CANCELLED }) do
    for _ = 1, 32 do
      if all_bytes + bytes <= most_bytes then return nil end
      if forget(ended, 0, 16) == 0 then break end
      waiting, all_bytes = held()
    end
  end
  return all_bytes + bytes > most_bytes and 'bytes' or nil
end
