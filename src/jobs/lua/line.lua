-- Shared by scripts that lease jobs: takes jobs from their lines.

-- Counts within a span of time: the upper bits of the value are the number of the span.
local function count_within(span, field, n)
  -- The number of the span has 16 bits.
  local NUMBERS = 65536
  count(field, n)
  spans[field] = span % NUMBERS * SPAN
end
-- Returns the bucket k of a duration: from 2^((k-1)/2) to 2^(k/2) ms; the last is 64.
local function bucket(ms)
  if ms < 1 then return 0 end
  local m, e = math.frexp(math.min(ms, 4294967295))
  return m < 0.70710678 and 2 * e - 1 or 2 * e
end
local function took(what, buckets)
  local WINDOW_MS = 600000
  local window = math.floor(now / WINDOW_MS)
  for k, n in pairs(buckets) do
    count_within(window, what .. window % 2 .. k, n)
  end
end

-- Returns the numbers of the named types, or of all types if none is named. A type that the queue does not have has no jobs.
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

-- Returns the first jobs of several lines by their places, and the line of each. If only one line has jobs, the second value is nil and the
-- third is the key of that line.
local function merge(keys, most)
  local piece, lines = math.ceil(most / #keys) + 4, {}
  for _, key in ipairs(keys) do
    local head = call('ZRANGE', key, 0, piece - 1, 'WITHSCORES')
    if #head > 0 then lines[#lines + 1] = { key = key, head = head, at = 1, taken = 0, place = tonumber(head[2]) } end
  end
  if #lines == 1 then return call('ZRANGE', lines[1].key, 0, most - 1), nil, lines[1].key end
  local heads, whose, n = {}, {}, 0
  while n < most and #lines > 0 do
    local best, which = lines[1], 1
    for i = 2, #lines do
      if lines[i].place < best.place then best, which = lines[i], i end
    end
    n = n + 1
    heads[n], whose[n] = best.head[best.at], best.key
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
  return heads, whose
end

-- Removes the first n jobs from their lines, by rank. ZPOPMIN would also return their places, which is slow.
local function take_heads(whose, key, n)
  if not whose then
    call('ZREMRANGEBYRANK', key, 0, n - 1)
    return
  end
  local taken = {}
  for i = 1, n do
    taken[whose[i]] = (taken[whose[i]] or 0) + 1
  end
  for line, count_of in pairs(taken) do
    call('ZREMRANGEBYRANK', line, 0, count_of - 1)
  end
end

-- Records what a call has leased, so that the jobs are found if the answer is lost. Names of calls are reused. Names of processes that
-- have ended stay until there are more than MOST_CALLS; then all are deleted.
local MOST_CALLS = 4096
local function note_call(name, token, ids)
  if call('HSET', CALLS, name, token .. ' ' .. table.concat(ids, ' ')) == 1 and call('HLEN', CALLS) > MOST_CALLS then
    call('DEL', CALLS)
    call('HSET', CALLS, name, token .. ' ' .. table.concat(ids, ' '))
  end
end

-- Leases up to `most` jobs whose specs take up to `most_bytes`. Appends to `out` when the next job is due (0 for never, or if a job was
-- leased), and of each job its short id, the number of the attempt and the spec.
local function lease(out, token, name, most, most_bytes, lease_ms, types_wanted)
  local numbers, keys, ids, whose, key = wanted(types_wanted), {}, {}, nil, nil
  for i, number in ipairs(numbers) do
    keys[i] = KEYS[LINES + number]
  end
  if not paused and #keys == 1 then
    key = keys[1]
    ids = call('ZRANGE', key, 0, most - 1)
  elseif not paused and #keys > 1 then
    ids, whose, key = merge(keys, most)
  end
  local at = #out + 1
  out[at] = 0
  local n = #ids
  if n == 0 then
    for _, waiting in ipairs({ DELAYED, LEASED }) do
      local due = tonumber(call('ZRANGE', waiting, 0, 0, 'WITHSCORES')[2])
      if due and due < math.huge and (out[at] == 0 or due < out[at]) then out[at] = due end
    end
    return
  end

  local specs
  specs, n = within(SPECS, ids, most_bytes)
  for i = #ids, n + 1, -1 do
    ids[i] = nil
  end
  take_heads(whose, key, n)
  local runs = call('HMGET', RUNS, unpack(ids))
  local head, ends, ends_text = 'l-' .. token .. now_text, from + lease_ms, stamp(from + lease_ms)
  -- The waiting time is sampled: some sixteen jobs of a call, each of which counts for several.
  local deadlines, records, waits, every = {}, {}, {}, math.ceil(n / 16)
  -- In FLAGS of a spec; the first byte of the spec of a job with a time limit is at least '@' plus 4.
  local HAS_KEY, HAS_LIMIT = 2, 68
  -- Of a spec, FLAGS with KEEP, SINCE and BRIEF; of a run, ATTEMPTS and WHERE, which begins with SINCE.
  local KEEP_END, SPEC_SINCE, SPEC_SINCE_END, BRIEF = 9, 10, 22, 24
  local ATTEMPTS, ATTEMPTS_END, WHERE, SINCE_END = 41, 43, 44, 56
  local m = 0
  for i = 1, n do
    local id, spec, run = ids[i], specs[i], runs[i]
    -- An id without a spec is not a job.
    if spec then
      local attempt, record, where = 1, nil, ''
      if byte(spec) % (2 * HAS_KEY) >= HAS_KEY then where = now_text .. ' ' .. match(spec, ' (%S+)\n', BRIEF) end
      if run then
        attempt = sub(run, ATTEMPTS, ATTEMPTS_END) + 1
        local tail = find(run, '\n', WHERE, true)
        record = head .. sub(spec, 1, KEEP_END) .. format('%03d', attempt) .. where .. (tail and sub(run, tail) or '')
      else
        record = head .. sub(spec, 1, KEEP_END) .. '001' .. where
      end
      local deadline = ends_text
      if byte(spec) >= HAS_LIMIT then
        local limit = match(spec, '^%d+ %d+ %d+ %d+ %a %d+ %d+ %S+ (%d+)', BRIEF)
        deadline = stamp(math.min(ends, from + limit))
      end
      if i % every == 0 then
        local k = bucket(now - (run and sub(run, WHERE, SINCE_END) or sub(spec, SPEC_SINCE, SPEC_SINCE_END)))
        waits[k] = (waits[k] or 0) + every
      end
      local j = 2 * m
      deadlines[j + 1], deadlines[j + 2] = deadline, id
      records[j + 1], records[j + 2] = id, record
      out[at + 1], out[at + 2], out[at + 3] = id, attempt, spec
      m, at = m + 1, at + 3
    end
  end
  many('ZADD', LEASED, deadlines)
  many('HSET', RUNS, records)
  note_call(name, token, ids)
  took('w', waits)
  note_all('leased', ids)
end
