-- Shared by scripts that read many records of a queue at once.

-- Maximum size of the records that one call reads from a hash, except for a first record that is larger; and the number of records that are
-- read at once. Redis's Lua hashes every byte of them, some 8 ms a MiB. `MOST_BYTES` in allowance.rs has the same value.
local MOST_BYTES, PIECE = 4194304, 16
-- Returns the first records of jobs, from SPECS or RUNS, that take up to `most` bytes (MOST_BYTES by default), and their number.
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
