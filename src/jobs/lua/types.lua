-- Shared by what gives types their numbers.

-- The numbers of some types. Returns nil and why if there is no room for a new one here: the number of types that the caller
-- has to know of, or 0 if there are as many as may be.
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
