-- Shared by what reads many records of a queue at once.

-- How many bytes of records one call reads of a hash, but for the first, whatever it has; and how many records are read at once:
-- Redis's Lua hashes every byte of them, some 8 ms a MiB. `MOST_BYTES` in allowance.rs is the same.
local MOST_BYTES, PIECE = 4194304, 16
-- The records of jobs, in SPECS or RUNS, from the first on, and how many of them are so few bytes, MOST_BYTES if nothing is said.
local function within(key, ids, most)
  local records, bytes, n = {}, 0, #ids
  for from_id = 1, n, PIECE do
    local piece = call('HMGET', key, unpack(ids, from_id, math.min(from_id + PIECE - 1, n)))
    for i, record in ipairs(piece) do
      bytes = bytes + (record and #record or 0)
      local k = from_id + i - 1
      if bytes > (most or MOST_BYTES) and k > 1 then return records, k - 1 end
      records[k] = record
    end
  end
  return records, n
end
