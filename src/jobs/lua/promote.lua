-- Shared by scripts that promote delayed jobs.

-- Makes up to `most` delayed jobs ready that are due. Returns how many.
local function promote(most)
  local ids = call('ZRANGEBYSCORE', DELAYED, '-inf', now_text, 'LIMIT', 0, most)
  if #ids == 0 then return 0 end
  -- Behind SINCE in runs.
  local SINCE_END = 56
  local runs, changed = call('HMGET', RUNS, unpack(ids)), {}
  for i, id in ipairs(ids) do
    local run = runs[i]
    if run then
      local number, place = match(run, '^ (%d+) (%d+)', SINCE_END + 1)
      make_ready(number, place, id)
      changed[#changed + 1] = id
      changed[#changed + 1] = 'r' .. sub(run, 2)
    end
  end
  call('ZREM', DELAYED, unpack(ids))
  many('HSET', RUNS, changed)
  note_all('ready', ids)
  return #ids
end
