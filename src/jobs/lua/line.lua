-- Shared by the scripts that lease jobs: takes them from their lines.

-- The numbers of the types that are wanted: of all if none is named. A type that the queue does not have has no jobs.
local function wanted(names)
  local numbers = {}
  if #names == 0 then
    for number = 1, types do
      numbers[number] = number
    end
    return numbers
  end
  for i, name in ipairs(names) do
    names[i] = 't:' .. name
  end
  for _, number in ipairs(call('HMGET', META, unpack(names))) do
    if number then numbers[#numbers + 1] = tonumber(number) end
  end
  return numbers
end

-- The first of several lines by their places, each with its place.
local function merge(keys, most)
  local piece, lines, all = math.ceil(most / #keys) + 4, {}, {}
  for _, key in ipairs(keys) do
    local head = call('ZRANGE', key, 0, piece - 1, 'WITHSCORES')
    if #head > 0 then lines[#lines + 1] = { key = key, head = head, at = 1, taken = 0, place = tonumber(head[2]) } end
  end
  if #lines == 1 then return call('ZPOPMIN', lines[1].key, most) end
  for i, line in ipairs(lines) do
    all[i] = line
  end
  local popped, n = {}, 0
  while n < 2 * most and #lines > 0 do
    local best, which = lines[1], 1
    for i = 2, #lines do
      if lines[i].place < best.place then best, which = lines[i], i end
    end
    popped[n + 1], popped[n + 2] = best.head[best.at], best.head[best.at + 1]
    n = n + 2
    best.taken, best.at = best.taken + 1, best.at + 2
    if best.at > #best.head then
      best.head, best.at = call('ZRANGE', best.key, best.taken, best.taken + piece - 1, 'WITHSCORES'), 1
    end
    if #best.head == 0 then
      table.remove(lines, which)
    else
      best.place = tonumber(best.head[best.at + 1])
    end
  end
  for _, line in ipairs(all) do
    if line.taken > 0 then call('ZREMRANGEBYRANK', line.key, 0, line.taken - 1) end
  end
  return popped
end

-- Leases up to so many jobs, and appends to `out`: when something is due next (0 for nothing; looked for only where no job was
-- had), and of each job its short id, the number of the attempt and the spec.
local function lease(out, token, most, lease_ms, names)
  local numbers, keys, popped = wanted(names), {}, {}
  for i, number in ipairs(numbers) do
    keys[i] = KEYS[LINES + number]
  end
  if not paused and #keys == 1 then
    popped = call('ZPOPMIN', keys[1], most)
  elseif not paused and #keys > 1 then
    popped = merge(keys, most)
  end
  local at = #out + 1
  out[at] = 0
  local n = #popped / 2
  if n == 0 then
    for _, key in ipairs({ DELAYED, LEASED }) do
      local due = tonumber(call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
      if due and (out[at] == 0 or due < out[at]) then out[at] = due end
    end
    return
  end

  local ids = {}
  for i = 1, n do
    ids[i] = popped[2 * i - 1]
  end
  local specs, runs = call('HMGET', SPECS, unpack(ids)), call('HMGET', RUNS, unpack(ids))
  local head, ends = '-' .. token .. now_text .. NEVER, from + lease_ms
  local deadlines, records, waits, m = {}, {}, {}, 0
  for i = 1, n do
    local id, spec, run = ids[i], specs[i], runs[i]
    -- A job without a spec is not one.
    if spec then
      local flags, attempt, since, record = sub(spec, 1, 1), 1, nil, nil
      local line = find(spec, '\n', 16, true) - 1
      if run then
        attempt, since = match(run, '^%d+', 46) + 1, sub(run, 33, 45)
        local tail = find(run, '\n', 46, true)
        record = 'l' .. flags .. head .. attempt .. ' ' .. popped[2 * i] .. ' ' .. sub(spec, 16, line)
          .. (tail and sub(run, tail) or '')
      else
        since = sub(spec, 2, 14)
        record = 'l' .. flags .. head .. '1 ' .. popped[2 * i] .. ' ' .. sub(spec, 16, line)
      end
      local deadline = ends
      if byte(flags) >= 68 then deadline = math.min(ends, from + match(spec, '^%d+ %d+ %d+ %d+ %a %d+ %d+ %S+ (%d+)', 16)) end
      local k = bucket(now - since)
      waits[k] = (waits[k] or 0) + 1
      local j = 2 * m
      deadlines[j + 1], deadlines[j + 2] = deadline, id
      records[j + 1], records[j + 2] = id, record
      out[at + 1], out[at + 2], out[at + 3] = id, attempt, spec
      m, at = m + 1, at + 3
    end
  end
  many('ZADD', LEASED, deadlines)
  many('HSET', RUNS, records)
  took('w', waits)
  note_all('leased', ids)
end
