-- Shared by the scripts of a queue: where all of it is, how records are written, and what every call does at its end.
--
-- Two records, fields of hashes under the job's short id. Times are Unix ms of 13 digits; what is in capitals stands for itself:
--   specs  FLAGS KEEP SINCE ' ' BRIEF '\n' PAYLOAD      what was put in
--   BRIEF  NUMBER PLACE CREATED MAX_ATTEMPTS BACKOFF BASE_MS MAX_MS JITTER TIMEOUT_MS PRIORITY TYPE UNIQUE_KEY
--   runs   STATE END TOKEN LEASED FLAGS KEEP ATTEMPTS [WHERE] ['\n' PROGRESS '\n' RESULT {'\n' ERROR}]
--   WHERE  SINCE ' ' NUMBER ' ' PLACE; while it is leased LEASED ' ' UNIQUE_KEY if it has a unique key, so that its end need not
--          read the spec for that, or nothing
-- FLAGS is '@' plus 1 if the job is forgotten when it is done, 2 if it has a unique key, 4 if it has a time limit; of a run, 8 if
-- another has taken the key since it was leased. KEEP is for how many s it is remembered when it is done, 8 digits. SINCE of a
-- spec is when the job is first due; of a run, since when it is ready or has ended. STATE is 'l' leased, 'r' ready, 'w' delayed,
-- 'd' done, 'x' dead, 'c' cancelled; END how the last lease ended: 'c' completed, 'f' failed, 't' to go on, 'r' given back, '-'
-- otherwise. TOKEN has 16 characters, ATTEMPTS 3 digits.
-- A job that is ready and was never anything else has no run. What scripts read often stands at fixed places, and is short: Redis's
-- Lua hashes every byte of every new string, and prints numbers slowly.
local META, SPECS, RUNS, DELAYED, LEASED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local DONE, DEAD, CANCELLED, UNIQUE, UNIQUE_ENDS, EVENTS = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local SCHEDULES, SCHEDULES_DUE = KEYS[12], KEYS[13]
-- The record of the call's idempotency key, if it has one.
local ONCE = KEYS[14]
-- The ready jobs of type NUMBER are in KEYS[LINES + NUMBER].
local LINES = 14
local MOST_TYPES, MOST_ERRORS = 64, 5
-- Stands in the hashes and sorted sets that are small and much used, under the empty name or behind all others: with something so
-- long in them Redis does not keep them as lists, in which it would look for each name from the beginning.
local WEIGHT = string.rep('-', 65)
local NO_TOKEN, NEVER = '----------------', '0000000000000'

local call, sub, byte, find, match, format = redis.call, string.sub, string.byte, string.find, string.match, string.format
local time = call('TIME')
-- Now, and the first whole ms that is not before it: what lasts from now on lasts from that.
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local from = time[1] * 1000 + math.ceil(time[2] / 1000)
local now_text = format('%013d', now)

local meta = call('HMGET', META, 'types', 'paused')
local types, paused = tonumber(meta[1] or 0), meta[2]
-- The caller does not know of all types and has to call again; nothing may be done.
local unknown = types > #KEYS - LINES

-- Where waiters are woken, with what word; how many done jobs are kept, how many dead ones and for how long, how many events.
local wake_channel, queue_name, most_done, most_dead, dead_ms, most_events
local function open(channel, name, limits)
  wake_channel, queue_name = channel, name
  most_done, most_dead, dead_ms, most_events = match(limits, '^(%d+) (%d+) (%d+) (%d+)$')
  most_done, most_dead, dead_ms = tonumber(most_done), tonumber(most_dead), tonumber(dead_ms)
end

-- A command with as many arguments as it takes, in pieces.
local function many(command, key, list)
  local n = #list
  for i = 1, n, 1000 do
    call(command, key, unpack(list, i, math.min(i + 999, n)))
  end
end

-- What changes in the counters. Some count within a span of time only: their values begin with its number.
local tally, spans = {}, {}
local function count(field, n)
  tally[field] = (tally[field] or 0) + n
end
local function count_within(span, field, n)
  count(field, n)
  spans[field] = span % 65536 * 4294967296
end
local function completed(n)
  local minute = math.floor(now / 60000)
  count('completed', n)
  count_within(minute, 'm' .. minute % 60, n)
end
-- The times from 2^((k-1)/2) to 2^(k/2) ms are in bucket k, of which the last is 64.
local function bucket(ms)
  if ms < 1 then return 0 end
  local m, e = math.frexp(math.min(ms, 4294967295))
  return m < 0.70710678 and 2 * e - 1 or 2 * e
end
local function took(what, buckets)
  local window = math.floor(now / 600000)
  for k, n in pairs(buckets) do
    count_within(window, what .. window % 2 .. k, n)
  end
end

-- What happened, to which jobs.
local kinds, happened = {}, {}
local function note_all(kind, ids)
  if #ids > 0 then
    kinds[#kinds + 1] = kind
    happened[#kinds] = ids
  end
end
local noted = {}
local function note(kind, id)
  local ids = noted[kind]
  if not ids then
    ids = {}
    noted[kind] = ids
    kinds[#kinds + 1] = kind
    happened[#kinds] = ids
  end
  ids[#ids + 1] = id
end

local woken = false
local function close()
  local names = {}
  for field in pairs(tally) do
    names[#names + 1] = field
  end
  if #names > 0 then
    local old, new = call('HMGET', META, unpack(names)), {}
    for i, field in ipairs(names) do
      local n, span = tonumber(old[i] or 0), spans[field]
      if span and (n < span or n >= span + 4294967296) then n = span end
      new[2 * i - 1], new[2 * i] = field, n + tally[field]
    end
    call('HSET', META, unpack(new))
  end
  if most_events ~= '0' then
    for i, kind in ipairs(kinds) do
      call('XADD', EVENTS, 'MAXLEN', '~', most_events, '*', kind, table.concat(happened[i], ' '))
    end
  end
  if woken then call('PUBLISH', wake_channel, queue_name) end
end

-- Jobs on their way into their lines, each with its place.
local readied = {}
local function make_ready(number, place, id)
  number = tonumber(number)
  local line = readied[number]
  if not line then
    line = {}
    readied[number] = line
  end
  local n = #line
  line[n + 1], line[n + 2] = place, id
end
local function line_up()
  for number, line in pairs(readied) do
    local key = KEYS[LINES + number]
    if call('ZCARD', key) == 0 then woken = true end
    many('ZADD', key, line)
  end
  readied = {}
end

local function stamp(ms)
  return format('%013d', ms)
end

-- Whether a delayed job that is due then will be the first: those who wait have to know.
local first_due
local function look_at_delayed()
  first_due = tonumber(call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')[2]) or math.huge
end
local function will_be_due(due)
  if due < first_due then first_due, woken = due, true end
end

-- A run taken apart, with its spec, for all that is seldom.
local function read(run, spec)
  local tail = find(run, '\n', 44, true)
  local number, place, created, most, backoff, base, cap, jitter, limit, priority, kind, unique =
    match(spec, '^(%d+) (%d+) (%d+) (%d+) (%a) (%d+) (%d+) (%S+) (%d+) (%d+) (%S+) (%S*)\n', 24)
  return {
    state = sub(run, 1, 1), ended_by = sub(run, 2, 2), token = sub(run, 3, 18), leased = sub(run, 19, 31),
    flags = sub(run, 32, 32), keep = sub(run, 33, 40), attempts = tonumber(sub(run, 41, 43)), since = sub(run, 44, 56),
    tail = tail and sub(run, tail) or '', number = number, place = place, created = created, most = tonumber(most),
    backoff = backoff, base = tonumber(base), cap = tonumber(cap), jitter = tonumber(jitter), limit = tonumber(limit),
    terms = table.concat({ most, backoff, base, cap, jitter, limit, priority }, ' '), kind = kind, unique = unique,
  }
end
local function written(r)
  local where = r.since .. ' ' .. r.number .. ' ' .. r.place
  if r.state == 'l' then where = r.unique == '' and '' or r.leased .. ' ' .. r.unique end
  return r.state .. r.ended_by .. r.token .. r.leased .. r.flags .. r.keep .. format('%03d', r.attempts) .. where .. r.tail
end
-- The run of a job that is ready and was never anything else, as if it had one.
local function first_run(spec)
  return 'r-' .. NO_TOKEN .. NEVER .. sub(spec, 1, 9) .. '000' .. sub(spec, 10, 22)
end
-- A job as it is; nil if there is none.
local function find_job(id)
  local spec = call('HGET', SPECS, id)
  return spec and read(call('HGET', RUNS, id) or first_run(spec), spec) or nil
end

-- The progress, the result and the errors of a tail.
local function parts(tail)
  local progress, result, errors = match(tail, '^\n([^\n]*)\n([^\n]*)(.*)$')
  return progress or '', result or '', errors or ''
end
local function add_error(r, text)
  local progress, result, errors = parts(r.tail)
  errors = errors .. '\n' .. r.attempts .. ' ' .. now_text .. ' ' .. text
  local _, n = string.gsub(errors, '\n', '')
  for _ = MOST_ERRORS + 1, n do
    errors = match(errors, '^\n[^\n]*(.*)$')
  end
  r.tail = '\n' .. progress .. '\n' .. result .. errors
end

-- Which job has a unique key now; nil for none. A job that is dead or cancelled has none: earlier versions let it keep its key.
local function holder_of(key)
  local ends, holder = match(call('HGET', UNIQUE, key) or '', '^(%d+) (.+)$')
  if not holder or ends ~= '0' and tonumber(ends) <= now then return nil end
  if call('ZSCORE', DEAD, holder) or call('ZSCORE', CANCELLED, holder) then return nil end
  return holder
end
-- Frees the unique key of a job that is done, unless it is kept for a time.
local function free_key(key, id)
  if call('HGET', UNIQUE, key) == '0 ' .. id then call('HDEL', UNIQUE, key) end
end
-- Frees the unique key, if it has one, of a job that is dead or cancelled, for however long it was to be kept.
local function give_key_up(r, id)
  if r.unique == '' or match(call('HGET', UNIQUE, r.unique) or '', '^%d+ (.+)$') ~= id then return end
  call('HDEL', UNIQUE, r.unique)
  call('ZREM', UNIQUE_ENDS, r.unique)
end

-- A job that runs is not to run again once another has its key: that one is put in for it.
local function lose_key(r, id)
  local flags = byte(r.flags)
  if flags % 16 >= 8 then return end
  r.flags = string.char(flags + 8)
  call('HSET', RUNS, id, written(r))
end
local function has_lost_key(r)
  return byte(r.flags) % 16 >= 8
end

-- Takes a job that is not leased out of where it is; false if it is not there to be taken.
local function take_out(r, id)
  if r.state == 'r' then return call('ZREM', KEYS[LINES + tonumber(r.number)], id) == 1 end
  local places = { w = DELAYED, l = LEASED, d = DONE, x = DEAD, c = CANCELLED }
  return call('ZREM', places[r.state], id) == 1
end

-- Forgets the oldest of those that have ended, as far as they are too many or too old, with all that there is of them.
local function forget(ended, most, bite)
  local over = math.max(call('ZCOUNT', ended, '-inf', now), call('ZCARD', ended) - most)
  if over <= 0 then return 0 end
  over = math.min(over, bite)
  local ids = call('ZRANGE', ended, 0, over - 1)
  call('ZREMRANGEBYRANK', ended, 0, over - 1)
  many('HDEL', SPECS, ids)
  many('HDEL', RUNS, ids)
  return #ids
end

-- Forgets up to so many unique keys that were kept for a time.
local function forget_keys(most)
  local keys = call('ZRANGEBYSCORE', UNIQUE_ENDS, '-inf', now, 'LIMIT', 0, most)
  if #keys == 0 then return 0 end
  call('HDEL', UNIQUE, unpack(keys))
  call('ZREM', UNIQUE_ENDS, unpack(keys))
  return #keys
end

local function die(r, id)
  r.state, r.since = 'x', now_text
  call('HSET', RUNS, id, written(r))
  call('ZADD', DEAD, stamp(now + dead_ms), id)
  give_key_up(r, id)
  count('died', 1)
  note('dead', id)
end

local function end_cancelled(r, id)
  r.state, r.since = 'c', now_text
  call('HSET', RUNS, id, written(r))
  -- Its worker is to be told of it, so it is remembered for an hour at least.
  call('ZADD', CANCELLED, now + math.max(r.keep * 1000, 3600000), id)
  give_key_up(r, id)
  count('cancelled', 1)
  note('cancelled', id)
end

-- Makes up to so many delayed jobs ready that are due.
local function promote(most)
  local ids = call('ZRANGEBYSCORE', DELAYED, '-inf', now, 'LIMIT', 0, most)
  if #ids == 0 then return 0 end
  local runs, changed = call('HMGET', RUNS, unpack(ids)), {}
  for i, id in ipairs(ids) do
    local run = runs[i]
    if run then
      local number, place = match(run, '^ (%d+) (%d+)', 57)
      make_ready(number, place, id)
      changed[#changed + 1] = id
      changed[#changed + 1] = 'r' .. sub(run, 2)
    end
  end
  call('ZREM', DELAYED, unpack(ids))
  many('HSET', RUNS, changed)
  note_all('ready', ids)
  return #ids
end

-- How many bytes of records one call reads of a hash, but for the first, whatever it has; and how many records are read at once:
-- Redis's Lua hashes every byte of them, some 8 ms a MiB.
local MOST_BYTES, PIECE = 4194304, 16
-- The records of jobs, in SPECS or RUNS, from the first on, and how many of them are so few bytes.
local function within(key, ids)
  local records, bytes, n = {}, 0, #ids
  for from_id = 1, n, PIECE do
    local piece = call('HMGET', key, unpack(ids, from_id, math.min(from_id + PIECE - 1, n)))
    for i, record in ipairs(piece) do
      bytes = bytes + (record and #record or 0)
      local k = from_id + i - 1
      if bytes > MOST_BYTES and k > 1 then return records, k - 1 end
      records[k] = record
    end
  end
  return records, n
end

-- For how long a job waits after its latest attempt, as its policy has it; `drawn` is 0 to 999, for the jitter.
local function backoff_ms(r, drawn)
  local ms = r.base
  if r.backoff == 'e' then ms = math.min(r.cap, ms * 2 ^ math.min(r.attempts - 1, 40)) end
  return math.floor(ms * (1 - r.jitter * drawn / 1000))
end
-- Makes a job that was leased ready again after that time, at the place in the line that it had.
local function try_again(r, id, ms)
  local due = from + ms
  r.state, r.since = ms == 0 and 'r' or 'w', stamp(due)
  call('HSET', RUNS, id, written(r))
  if ms == 0 then
    make_ready(r.number, r.place, id)
  else
    call('ZADD', DELAYED, stamp(due), id)
    will_be_due(due)
  end
end

-- Takes back up to so many leases that ran out. Each is a failed attempt: the job is tried again as its policy has it, and is dead
-- after its last attempt, or cancelled where another has taken its key. Returns whether there may be more.
local function reclaim(most)
  local ids = call('ZRANGEBYSCORE', LEASED, '-inf', now, 'LIMIT', 0, most)
  if #ids == 0 then return false end
  local specs, n = within(SPECS, ids)
  local behind = n < #ids or n == most
  for i = #ids, n + 1, -1 do
    ids[i] = nil
  end
  local runs = call('HMGET', RUNS, unpack(ids))
  call('ZREM', LEASED, unpack(ids))
  look_at_delayed()
  local died, cancelled = false, false
  for i, id in ipairs(ids) do
    if runs[i] and specs[i] then
      local r = read(runs[i], specs[i])
      r.token, r.ended_by = NO_TOKEN, '-'
      add_error(r, '"the lease ran out"')
      if r.attempts >= r.most then
        die(r, id)
        died = true
      elseif has_lost_key(r) then
        end_cancelled(r, id)
        cancelled = true
      else
        -- Redis's `math.random` draws the same in each call.
        try_again(r, id, backoff_ms(r, (time[2] + 389 * i) % 1000))
      end
    end
  end
  if died then forget(DEAD, most_dead, 2 * most) end
  if cancelled then forget(CANCELLED, most_done, 2 * most) end
  count('lost', #ids)
  note_all('lost', ids)
  return behind
end
