-- Shared by scripts that delete unique keys.

-- Deletes up to `most` unique keys whose time is over. Returns how many.
local function forget_keys(most)
  local keys = call('ZRANGEBYSCORE', UNIQUE_ENDS, '-inf', now_text, 'LIMIT', 0, most)
  if #keys == 0 then return 0 end
  call('HDEL', UNIQUE, unpack(keys))
  call('ZREM', UNIQUE_ENDS, unpack(keys))
  return #keys
end
