-- Shared by scripts that number types.

-- Returns the numbers of types. If there is no room for a new type, returns nil and the number of types whose keys the caller must pass, or
-- nil and 0 if the queue has the maximum number of types.
local function number_types(names)
  local fields, numbers, new = {}, {}, {}
  for i, name in ipairs(names) do
    fields[i] = 't:' .. name
  end
  local found, n = call('HMGET', META, unpack(fields)), types
  for i = 1, #names do
    if not found[i] then
      n = n + 1
      new[#new + 1], new[#new + 2] = fields[i], n
    end
    numbers[i] = tonumber(found[i] or n)
  end
  if n > MOST_TYPES then return nil, 0 end
  if n > #KEYS - LINES then return nil, n end
  return numbers, nil, new, n
end
local function remember_types(new, n)
  if #new > 0 then
    call('HSET', META, 'types', n, '', WEIGHT, unpack(new))
    call('HSET', RUNS, '', WEIGHT)
    call('ZADD', LEASED, '+inf', WEIGHT)
    types = n
  end
end
