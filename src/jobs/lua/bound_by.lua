-- Shared by the scripts that put jobs in, for a queue that may be full.

-- Which bound n more jobs of `bytes` bytes would exceed, 'waiting' or 'bytes'; nil if there is room. Done jobs are deleted to make room,
-- then cancelled ones, up to some 500 of each in a call.
local function bound_by(n, bytes)
  local waiting, all_bytes = held()
  if waiting + n > most_waiting then return 'waiting' end
  -- Nothing is forgotten for what has no room then either.
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
