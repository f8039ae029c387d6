-- Shared by scripts that write records: keeps account of their sizes.

-- Sets the size of a record.
local function resize(field, bytes)
  if bytes <= SHORT and long_bytes == 0 then return end
  local was = tonumber(call('HGET', SIZES, field) or 0)
  local is = bytes > SHORT and bytes or 0
  if is == was then return end
  if is > 0 then call('HSET', SIZES, field, is) else call('HDEL', SIZES, field) end
  long_bytes = long_bytes + is - was
  count('bytes', is - was)
end
