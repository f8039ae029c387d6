-- settle: ends leases, each as its worker says, and hands out the next jobs.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events
-- ARGV[4]    token of the next leases, '' for none
-- ARGV[5]    at most so many
-- ARGV[6]    for how long, ms
-- ARGV[7]    of how many types, 0 for all
-- ARGV[8..]  those, then of each lease to end: short id, token, and how: '' completed, 'c' RESULT completed with it; 'f' failed,
--            with 'p' DRAWN (0 to 999, for the jitter) as the job's policy has it, 'n0' for good, 'a' MS to be tried again after
--            that, then ' ' ERROR; 't' MS ' ' TYPE '\n' PAYLOAD to go on as that, both '' as before; 'r' given back
-- Returns {'ok', outcomes, now, due, {id, attempt, spec}...} as lease.lua does. Outcomes has a letter a lease: the state
-- of the job, in capitals if the lease was not that token's or is over; '?' for no such job. {'types', n} and {'full'} as add.lua.
if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
local first = 8 + tonumber(ARGV[7])
local n = (#ARGV - first + 1) / 3
local new_types = {}
for i = 1, n do
  local how = ARGV[first + 3 * i - 1]
  if byte(how) == 116 then
    local name = match(how, '^t%d+ ([^\n]+)\n')
    if name and not new_types[name] then
      new_types[name] = true
      new_types[#new_types + 1] = name
    end
  end
end
if #new_types > 0 then
  local numbers, lacking, new, all_types = number_types(new_types)
  if not numbers then
    if lacking == 0 then return { 'full' } end
    return { 'types', lacking }
  end
  remember_types(new, all_types)
  for i, name in ipairs(new_types) do
    new_types[name] = numbers[i]
  end
end

promote(100)
local behind = reclaim(100) == 100
line_up()

local function go_on(r, id, how)
  local ms, name, payload = match(how, '^t(%d+) ([^\n]*)\n(.*)$')
  local spec = call('HGET', SPECS, id)
  local line = find(spec, '\n', 16, true)
  if payload == '' then payload = sub(spec, line + 1) end
  if name ~= '' then
    local created, middle, unique = match(r.brief, '^%d+ (%d+) (%d+ %d+ %a %d+ %d+ %S+ %d+ %d+) %S+ (%S*)$')
    r.number = new_types[name]
    r.brief = r.number .. ' ' .. created .. ' ' .. middle .. ' ' .. name .. ' ' .. unique
  end
  local due = from + ms
  r.state, r.ended_by, r.attempts, r.since, r.tail = 'w', 't', 0, stamp(due), ''
  call('HSET', SPECS, id, r.flags .. r.since .. ' ' .. r.brief .. '\n' .. payload)
  call('HSET', RUNS, id, written(r))
  call('ZADD', DELAYED, due, id)
  will_be_due(due)
  count('continued', 1)
  note('continued', id)
  return 'w'
end

local function fail(r, id, how)
  local mode, number, text = match(how, '^f(%a)(%d+) (.*)$')
  add_error(r, text)
  r.ended_by = 'f'
  count('failed', 1)
  if mode == 'n' or r.attempts >= r.most then
    die(r, id)
    return 'x'
  end
  local ms = tonumber(number)
  if mode == 'p' then
    ms = r.base
    if r.backoff == 'e' then ms = math.min(r.cap, ms * 2 ^ math.min(r.attempts - 1, 40)) end
    ms = math.floor(ms * (1 - r.jitter * number / 1000))
  end
  local due = from + ms
  r.since = stamp(due)
  note('failed', id)
  if ms == 0 then
    r.state = 'r'
    make_ready(r.number, r.place, id)
  else
    r.state = 'w'
    call('ZADD', DELAYED, due, id)
    will_be_due(due)
  end
  call('HSET', RUNS, id, written(r))
  return r.state
end

local function give_back(r, id)
  r.state, r.since, r.attempts, r.token = 'r', now_text, r.attempts - 1, NO_TOKEN
  call('HSET', RUNS, id, written(r))
  make_ready(r.number, r.place, id)
  note('released', id)
  return 'r'
end

local ids = {}
for i = 1, n do
  ids[i] = ARGV[first + 3 * (i - 1)]
end
local runs = n > 0 and call('HMGET', RUNS, unpack(ids)) or {}
local deadlines = behind and n > 0 and call('ZMSCORE', LEASED, unpack(ids))
look_at_delayed()
local outcomes, over, gone, kept, ends, done, spent = {}, {}, {}, {}, {}, {}, {}
local died = false
for i = 1, n do
  local id, run, at = ids[i], runs[i], first + 3 * i
  local token, how = ARGV[at - 2], ARGV[at - 1]
  if not run then
    outcomes[i] = call('HEXISTS', SPECS, id) == 1 and 'R' or '?'
  elseif byte(run) == 108 and sub(run, 4, 19) == token and not (deadlines and tonumber(deadlines[i] or 0) <= now) then
    over[#over + 1] = id
    local kind = byte(how) or 99
    if kind == 99 then
      outcomes[i] = 'd'
      done[#done + 1] = id
      local k = bucket(now - sub(run, 20, 32))
      spent[k] = (spent[k] or 0) + 1
      local flags = byte(run, 2)
      if flags % 4 >= 2 then free_key(read(run).unique, id) end
      if flags % 2 == 1 then
        gone[#gone + 1] = id
      else
        local record = 'd' .. sub(run, 2, 2) .. 'c' .. sub(run, 4, 32) .. now_text .. sub(run, 46)
        if how ~= '' then
          local r = read(record)
          local progress, _, errors = parts(r.tail)
          r.tail = '\n' .. progress .. '\n' .. sub(how, 2) .. errors
          record = written(r)
        end
        local j = #kept
        kept[j + 1], kept[j + 2] = id, record
        ends[j + 1], ends[j + 2] = now + 1000 * match(run, '^%d+ %d+ %d+ %d+ (%d+)', 46), id
      end
    else
      local r = read(run)
      if kind == 116 then
        outcomes[i] = go_on(r, id, how)
      elseif kind == 114 then
        outcomes[i] = give_back(r, id)
      else
        outcomes[i] = fail(r, id, how)
        died = died or outcomes[i] == 'x'
      end
    end
  elseif sub(run, 4, 19) == token and byte(run, 3) == (byte(how) or 99) then
    outcomes[i] = sub(run, 1, 1)
  else
    outcomes[i] = string.upper(sub(run, 1, 1))
  end
end
many('ZREM', LEASED, over)
many('HDEL', SPECS, gone)
many('HDEL', RUNS, gone)
many('HSET', RUNS, kept)
many('ZADD', DONE, ends)
if #ends > 0 then forget(DONE, most_done, 100 + #ends) end
if died then forget(DEAD, most_dead, 100 + n) end
line_up()
if #done > 0 then
  completed(#done)
  took('r', spent)
  note_all('completed', done)
end

local out = { 'ok', table.concat(outcomes), now }
if ARGV[4] ~= '' then
  lease(out, ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), { unpack(ARGV, 8, first - 1) })
end
close()
return out
