-- Shared by scripts that delete jobs.

-- Removes the sizes of the records of deleted jobs.
local function forget_sizes(ids)
  if long_bytes == 0 then return end
  for first = 1, #ids, 500 do
    local fields, gone, bytes = {}, {}, 0
    for i = first, math.min(first + 499, #ids) do
      fields[#fields + 1] = ids[i]
      fields[#fields + 1] = ids[i] .. 'r'
    end
    for i, size in ipairs(call('HMGET', SIZES, unpack(fields))) do
      if size then
        gone[#gone + 1] = fields[i]
        bytes = bytes + size
      end
    end
    if #gone > 0 then
      call('HDEL', SIZES, unpack(gone))
      long_bytes = long_bytes - bytes
      count('bytes', -bytes)
    end
  end
end
-- Deletes the oldest ended jobs that exceed the maximum number or age, up to `bite` of them. Returns how many.
local function forget(ended, most, bite)
  local over = math.max(call('ZCOUNT', ended, '-inf', now_text), call('ZCARD', ended) - most)
  if over <= 0 then return 0 end
  over = math.min(over, bite)
  local ids = call('ZRANGE', ended, 0, over - 1)
  call('ZREMRANGEBYRANK', ended, 0, over - 1)
  many('HDEL', SPECS, ids)
  many('HDEL', RUNS, ids)
  forget_sizes(ids)
  return #ids
end
