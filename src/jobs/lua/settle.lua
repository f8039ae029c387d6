-- settle: ends leases, each as its worker says, and hands out the next jobs.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events, waiting jobs, bytes
-- ARGV[4]    token of the next leases, '' for none
-- ARGV[5]    at most so many
-- ARGV[6]    for how long, ms
-- ARGV[7]    of how many types, 0 for all
-- ARGV[8]    '1' if an end of the same call held in a piece before this one
-- ARGV[9]    name of the call, '' if nothing is to be leased
-- ARGV[10..] those types, then groups of leases to end: token, 'd' or 'e', how many, and of each the short id and, behind 'e', how:
--            'c' RESULT completed; 'f' failed, with 'p' DRAWN (0 to 999, for the jitter) as the job's policy has it, with ',' MS
--            not before that, 'n0' for good, 'a' MS to be tried again after that, 'u' MS likewise, and in the first day of the job not counted, then ' ' ERROR; 't' MS ' ' TYPE '\n' PAYLOAD to go on as that, both '' as
--            before; 'r' given back. Those behind 'd' are completed without a result
-- Returns {'ok', outcomes, now, due, {id, attempt, spec}...} as lease.lua does, nothing behind `now` if no outcome of the call holds.
-- Outcomes has a letter a lease: the state of the job, in capitals if the lease was not that token's or is over; '?' for no such
-- job. {'types', n} and {'full'} as add.lua.
local function completed(n)
  local minute = math.floor(now / 60000)
  count('completed', n)
  count_within(minute, 'm' .. minute % 60, n)
end
-- Frees the unique key of a job that is done, unless it is kept for a time.
local function free_key(key, id)
  if call('HGET', UNIQUE, key) == '0 ' .. id then call('HDEL', UNIQUE, key) end
end

if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
local first = 10 + tonumber(ARGV[7])
local ids, hows, tokens, n, renamed = {}, {}, {}, 0, {}
while first <= #ARGV do
  local token, plain, group = ARGV[first], ARGV[first + 1] == 'd', tonumber(ARGV[first + 2])
  first = first + 3
  for _ = 1, group do
    n = n + 1
    ids[n], tokens[n] = ARGV[first], token
    if not plain then
      first = first + 1
      hows[n] = ARGV[first]
      if match(ARGV[first], '^t%d+ [^\n]') then renamed[#renamed + 1] = n end
    end
    first = first + 1
  end
end
-- The types that jobs are to go on as, with their numbers; only of leases that hold. A type has its number for ever, so who has no
-- lease gives none.
local new_types = {}
if #renamed > 0 then
  local asked = {}
  for k, i in ipairs(renamed) do
    asked[k] = ids[i]
  end
  local held, ends = call('HMGET', RUNS, unpack(asked)), call('ZMSCORE', LEASED, unpack(asked))
  for k, i in ipairs(renamed) do
    local run, name = held[k], match(hows[i], '^t%d+ ([^\n]+)\n')
    local holds = run and byte(run) == 108 and sub(run, 3, 18) == tokens[i] and tonumber(ends[k] or math.huge) > now
    if holds and not new_types[name] then
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
local behind = reclaim(100)
line_up()

local function go_on(r, id, how)
  local holder = r.unique ~= '' and holder_of(r.unique)
  if has_lost_key(r) or holder and holder ~= id then
    -- Another has the key, and with it its place: else it would go on for ever where no key leads to it.
    r.ended_by = 't'
    end_cancelled(r, id)
    return 'c'
  end
  local ms, name, payload = match(how, '^t(%d+) ([^\n]*)\n(.*)$')
  if payload == '' then
    local spec = call('HGET', SPECS, id)
    payload = sub(spec, find(spec, '\n', 24, true) + 1)
  end
  if name ~= '' then r.number, r.kind = new_types[name], name end
  local due = from + ms
  r.state, r.ended_by, r.attempts, r.since, r.tail = 'w', 't', 0, stamp(due), ''
  local brief = table.concat({ r.number, r.place, r.created, r.terms, r.kind, r.unique }, ' ')
  local spec = r.flags .. r.keep .. r.since .. ' ' .. brief .. '\n' .. payload
  call('HSET', SPECS, id, spec)
  resize(id, #spec)
  write_run(id, r)
  call('ZADD', DELAYED, stamp(due), id)
  will_be_due(due)
  count('continued', 1)
  note('continued', id)
  return 'w'
end

local DAY_MS = 86400000
local function fail(r, id, how)
  local mode, number, least, text = match(how, '^f(%a)(%d+),?(%d*) (.*)$')
  r.ended_by = 'f'
  add_error(r, text)
  if mode == 'u' and now - r.created < DAY_MS then
    r.attempts = r.attempts - 1
  else
    if mode == 'u' then mode, number, least = 'p', 0, number end
    count('failed', 1)
    if mode == 'n' or r.attempts >= r.most then
      die(r, id)
      return 'x'
    end
  end
  if has_lost_key(r) then
    end_cancelled(r, id)
    return 'c'
  end
  local ms = tonumber(number)
  if mode == 'p' then ms = math.max(backoff_ms(r, number), tonumber(least) or 0) end
  note(mode == 'u' and 'released' or 'failed', id)
  try_again(r, id, ms)
  return r.state
end

local function give_back(r, id)
  r.state, r.ended_by, r.since, r.attempts = 'r', 'r', now_text, r.attempts - 1
  if has_lost_key(r) then
    end_cancelled(r, id)
    return 'c'
  end
  write_run(id, r)
  make_ready(r.number, r.place, id)
  note('released', id)
  return 'r'
end

local runs = n > 0 and call('HMGET', RUNS, unpack(ids)) or {}
local deadlines = behind and n > 0 and call('ZMSCORE', LEASED, unpack(ids))
look_at_delayed()
local outcomes, over, gone, kept, keeps, ends, done, spent = {}, {}, {}, {}, {}, {}, {}, {}
local died, cancelled = false, false
-- How long they took is looked at for some sixteen of a call, which stand for the others.
local every = math.ceil(n / 16)
for i = 1, n do
  local id, run, token, how = ids[i], runs[i], tokens[i], hows[i]
  local kind = how and byte(how) or 99
  if not run then
    outcomes[i] = call('HEXISTS', SPECS, id) == 1 and 'R' or '?'
  elseif sub(run, 3, 18) ~= token then
    outcomes[i] = string.upper(sub(run, 1, 1))
  elseif byte(run) ~= 108 or deadlines and tonumber(deadlines[i] or 0) <= now then
    -- Said before, or too late.
    outcomes[i] = byte(run, 2) == kind and sub(run, 1, 1) or string.upper(sub(run, 1, 1))
  elseif kind == 99 then
    over[#over + 1], done[#done + 1], outcomes[i] = id, id, 'd'
    if i % every == 0 then
      local k = bucket(now - sub(run, 19, 31))
      spent[k] = (spent[k] or 0) + every
    end
    local flags = byte(run, 32)
    -- The key is not in the runs of jobs that an earlier version has leased.
    if flags % 4 >= 2 then free_key(match(run, '^%d+ (%S+)', 44) or read(run, call('HGET', SPECS, id)).unique, id) end
    if flags % 2 == 1 then
      gone[#gone + 1] = id
    else
      local tail = find(run, '\n', 44, true)
      tail = tail and sub(run, tail) or ''
      if how then
        local progress, _, errors = parts(tail)
        tail = '\n' .. progress .. '\n' .. sub(how, 2) .. errors
      end
      local j = #kept
      kept[j + 1], kept[j + 2] = id, 'dc' .. sub(run, 3, 43) .. now_text .. tail
      resize(id .. 'r', 56 + #tail)
      local keep = sub(run, 33, 40)
      keeps[keep] = keeps[keep] or stamp(now + 1000 * keep)
      ends[j + 1], ends[j + 2] = keeps[keep], id
    end
  else
    over[#over + 1] = id
    local r = read(run, call('HGET', SPECS, id))
    if kind == 116 then
      outcomes[i] = go_on(r, id, how)
    elseif kind == 114 then
      outcomes[i] = give_back(r, id)
    else
      outcomes[i] = fail(r, id, how)
    end
    died, cancelled = died or outcomes[i] == 'x', cancelled or outcomes[i] == 'c'
  end
end
many('ZREM', LEASED, over)
many('HDEL', SPECS, gone)
many('HDEL', RUNS, gone)
forget_sizes(gone)
many('HSET', RUNS, kept)
many('ZADD', DONE, ends)
if #ends > 0 then forget(DONE, most_done, 100 + #ends) end
if died then forget(DEAD, most_dead, 100 + n) end
if cancelled then forget(CANCELLED, most_done, 100 + n) end
line_up()
if #done > 0 then
  completed(#done)
  took('r', spent)
  note_all('completed', done)
end

local out = { 'ok', table.concat(outcomes), now }
if ARGV[4] ~= '' and (ARGV[8] == '1' or find(out[2], '%l')) then
  lease(out, ARGV[4], ARGV[9], tonumber(ARGV[5]), tonumber(ARGV[6]), { unpack(ARGV, 10, 9 + tonumber(ARGV[7])) })
end
close()
return out
