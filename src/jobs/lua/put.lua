-- Shared by the scripts that put jobs in.
local YEAR_MS = 366 * 86400000

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

-- When a job is due: '' is now, '+' and ms from now on, '@' and a time.
local function due_at(when)
  local sign, ms = match(when, '^([+@])(%d+)$')
  if not sign or ms == '0' then return now end
  return sign == '+' and from + ms or math.max(tonumber(ms), now)
end

-- Sequences of one priority.
local SEQUENCES = 8796093022208
-- The place in line: higher priorities first, then as they came. Below 2^53.
local function place_of(priority, seq)
  return format('%d', (1001 - priority) * SEQUENCES + seq)
end

-- The spec, and the run where the job is delayed. `flags` are its flags and for how long it is kept, `created` is when it was
-- put in if that is not now.
local function records_of(number, due, flags, rest, place, created)
  local since = due == now and now_text or stamp(due)
  local spec = flags .. since .. ' ' .. number .. ' ' .. place .. ' ' .. (created or now_text) .. ' ' .. rest
  if due <= now then return spec end
  return spec, 'w-' .. NO_TOKEN .. NEVER .. flags .. '000' .. since .. ' ' .. number .. ' ' .. place
end

-- Whether a job is in line or delayed.
local function is_waiting(id)
  local run = call('HGET', RUNS, id)
  if not run then return call('HEXISTS', SPECS, id) == 1 end
  local state = sub(run, 1, 1)
  return state == 'r' or state == 'w'
end

-- Which bound n more jobs of `bytes` bytes would exceed, 'waiting' or 'bytes'; nil if there is room. Done jobs are deleted to make room,
-- then cancelled ones, up to some 500 of each in a call.
local function bound_by(n, bytes)
  local jobs = call('HLEN', SPECS)
  -- There is room even if all of them wait.
  if jobs + n <= most_waiting and SHORT * jobs + long_bytes + bytes <= most_bytes then return nil end
  local waiting, all_bytes = held()
  if waiting + n > most_waiting then return 'waiting' end
  -- Nothing is forgotten for what has no room then either.
  if SHORT * (waiting + call('ZCARD', DEAD)) + bytes > most_bytes then return 'bytes' end
  for _, ended in ipairs({ DONE, CANCELLED }) do
    for _ = 1, 32 do
      if all_bytes + bytes <= most_bytes then return nil end
      if forget(ended, 0, 16) == 0 then break end
      waiting, all_bytes = held()
    end
  end
  return all_bytes + bytes > most_bytes and 'bytes' or nil
end
-- How many bytes a job will count as at most, with these flags and the rest of its spec.
local function bytes_of(flags, rest)
  local bytes = #flags + #rest + 64
  return bytes > SHORT and SHORT + bytes or SHORT
end

-- Puts one job in, at once.
local function put_one(id, number, due, flags, rest, place, created)
  local spec, run = records_of(number, due, flags, rest, place, created)
  call('HSET', SPECS, id, spec)
  resize(id, #spec)
  resize(id .. 'r', 0)
  if run then
    call('HSET', RUNS, id, run)
    call('ZADD', DELAYED, stamp(due), id)
    will_be_due(due)
  else
    call('HDEL', RUNS, id)
    make_ready(number, place, id)
    line_up()
  end
end

-- A job that is debounced and was not leased yet was put in when the first of the calls was made, and has its place in line from
-- then if it has a longest wait: otherwise calls without end would keep it at the end of the line.
local function debounced(r, place, has_longest)
  if r.leased ~= NEVER then return nil, place end
  if has_longest then place = format('%d', place - place % SEQUENCES + r.place % SEQUENCES) end
  return r.created, place
end

-- Puts one job with a unique key in, as far as the key allows: `terms` is how ('r' refuse, 'p' replace, 'd' debounce), for
-- how many ms the key is kept (0 until the job is done), behind ',' for how many ms calls can put the job off at most, and the
-- key. Returns what became of it and the id.
local function put_unique(id, number, due, flags, rest, place, terms)
  local how, for_ms, longest, key = match(terms, '^(%a)(%d+),?(%d*) (.+)$')
  local outcome, holder, created = 'created', holder_of(key), nil
  if holder then
    if how == 'r' then return 'existing', holder end
    local r = find_job(holder)
    if r and (r.state == 'r' or r.state == 'w') and take_out(r, holder) then
      if how == 'd' then
        outcome, id = 'debounced', holder
        created, place = debounced(r, place, longest ~= '')
      else
        call('HDEL', SPECS, holder)
        call('HDEL', RUNS, holder)
        forget_sizes({ holder })
        outcome = 'replaced'
        count('replaced', 1)
        note('replaced', holder)
      end
    elseif r and r.state == 'l' then
      lose_key(r, holder)
    end
  end
  if longest ~= '' then due = math.max(now, math.min(due, (created or from) + longest)) end
  put_one(id, number, due, flags, rest, place, created)
  local ends = for_ms == '0' and 0 or from + for_ms
  call('HSET', UNIQUE, key, format('%d ', ends) .. id)
  if ends > 0 then call('ZADD', UNIQUE_ENDS, ends, key) else call('ZREM', UNIQUE_ENDS, key) end
  if outcome == 'debounced' then
    note('debounced', id)
  else
    count('added', 1)
    note('added', id)
  end
  return outcome, id
end
