-- Shared by the scripts of a queue: where all of it is, how records are written, and what every call does at its end.
--
-- Two records, fields of hashes under the job's short id. Times are Unix ms of 13 digits, what is in capitals stands for itself:
--   specs  FLAGS SINCE ' ' BRIEF '\n' PAYLOAD     what was put in, and since when it is due
--   runs   STATE FLAGS END TOKEN LEASED SINCE ATTEMPTS ' ' PLACE ' ' BRIEF ['\n' PROGRESS '\n' RESULT {'\n' ERROR}]
--   BRIEF  NUMBER CREATED KEEP_S MAX_ATTEMPTS BACKOFF BASE_MS MAX_MS JITTER TIMEOUT_MS PRIORITY TYPE UNIQUE_KEY
-- FLAGS is '@' plus 1 if the job is forgotten when it is done, 2 if it has a unique key, 4 if it has a time limit. STATE is 'l'
-- leased, 'r' ready, 'w' delayed, 'd' done, 'x' dead, 'c' cancelled; END how the last lease ended: 'c' completed, 'f' failed, 't'
-- to go on, '-' otherwise. TOKEN has 16 characters. SINCE of a run is since when it is ready, or ended. A job that is ready and
-- was never anything else has no run. What scripts read often stands at fixed places, so that it is cut out and not parsed.
local META, SPECS, RUNS, DELAYED, LEASED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local DONE, DEAD, CANCELLED, UNIQUE, UNIQUE_ENDS, EVENTS = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local SCHEDULES, SCHEDULES_DUE = KEYS[12], KEYS[13]
-- The ready jobs of type NUMBER are in KEYS[LINES + NUMBER].
local LINES = 13
local MOST_TYPES, MOST_ERRORS = 64, 5
local NO_TOKEN, NEVER = '----------------', '0000000000000'

local call, sub, byte, find, match, format = redis.call, string.sub, string.byte, string.find, string.match, string.format
local time = call('TIME')
-- Now, and the first whole ms that is not before it: what lasts from now on lasts from that.
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local from = time[1] * 1000 + math.ceil(time[2] / 1000)
local now_text = format('%.0f', now)

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
-- The times from 2^((k-1)/2) to 2^(k/2) ms are in bucket k.
local function bucket(ms)
  if ms < 1 then return 0 end
  local m, e = math.frexp(ms)
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

-- A run taken apart, for all that is seldom.
local function read(run)
  local line, tail, at = run, '', find(run, '\n', 46, true)
  if at then line, tail = sub(run, 1, at - 1), sub(run, at) end
  local attempts, place, brief = match(line, '^(%d+) (%d+) (.*)$', 46)
  local number, keep, most, backoff, base, cap, jitter, limit, unique =
    match(brief, '^(%d+) %d+ (%d+) (%d+) (%a) (%d+) (%d+) (%S+) (%d+) %d+ %S+ (%S*)$')
  return {
    state = sub(run, 1, 1), flags = sub(run, 2, 2), ended_by = sub(run, 3, 3), token = sub(run, 4, 19),
    leased = sub(run, 20, 32), since = sub(run, 33, 45), attempts = tonumber(attempts), place = place, brief = brief,
    number = number, keep = tonumber(keep), most = tonumber(most), backoff = backoff, base = tonumber(base),
    cap = tonumber(cap), jitter = tonumber(jitter), limit = tonumber(limit), unique = unique, tail = tail,
  }
end
local function written(r)
  return r.state .. r.flags .. r.ended_by .. r.token .. r.leased .. r.since .. r.attempts .. ' ' .. r.place .. ' '
    .. r.brief .. r.tail
end
-- A job that is ready and was never anything else, as if it had a run.
local function fresh(id, spec)
  local flags, since = sub(spec, 1, 1), sub(spec, 2, 14)
  local brief = sub(spec, 16, find(spec, '\n', 16, true) - 1)
  local place = call('ZSCORE', KEYS[LINES + tonumber(match(brief, '^%d+'))], id)
  return read('r' .. flags .. '-' .. NO_TOKEN .. NEVER .. since .. '0 ' .. (place or '0') .. ' ' .. brief)
end
-- A job as it is; nil if there is none.
local function find_job(id)
  local run = call('HGET', RUNS, id)
  if run then return read(run) end
  local spec = call('HGET', SPECS, id)
  return spec and fresh(id, spec)
end
local function stamp(ms)
  return format('%013.0f', ms)
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

-- Frees the unique key of a job that has ended, unless it is kept for a time.
local function free_key(key, id)
  if call('HGET', UNIQUE, key) == '0 ' .. id then call('HDEL', UNIQUE, key) end
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
  local popped, ids = call('ZPOPMIN', ended, math.min(over, bite)), {}
  for i = 1, #popped, 2 do
    ids[(i + 1) / 2] = popped[i]
  end
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
  call('ZADD', DEAD, now + dead_ms, id)
  if r.unique ~= '' then free_key(r.unique, id) end
  count('died', 1)
  note('dead', id)
end

-- Makes up to so many delayed jobs ready that are due.
local function promote(most)
  local ids = call('ZRANGEBYSCORE', DELAYED, '-inf', now, 'LIMIT', 0, most)
  if #ids == 0 then return 0 end
  local runs, changed = call('HMGET', RUNS, unpack(ids)), {}
  for i, id in ipairs(ids) do
    local run = runs[i]
    if run then
      local place, number = match(run, '^%d+ (%d+) (%d+)', 46)
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

-- Takes back up to so many leases that ran out: to the place in the line that the job had, or to the dead.
local function reclaim(most)
  local ids = call('ZRANGEBYSCORE', LEASED, '-inf', now, 'LIMIT', 0, most)
  if #ids == 0 then return 0 end
  local runs = call('HMGET', RUNS, unpack(ids))
  call('ZREM', LEASED, unpack(ids))
  local died = false
  for i, id in ipairs(ids) do
    if runs[i] then
      local r = read(runs[i])
      r.token, r.ended_by = NO_TOKEN, '-'
      add_error(r, '"the lease ran out"')
      if r.attempts >= r.most then
        die(r, id)
        died = true
      else
        r.state, r.since = 'r', now_text
        call('HSET', RUNS, id, written(r))
        make_ready(r.number, r.place, id)
      end
    end
  end
  if died then forget(DEAD, most_dead, 2 * most) end
  count('lost', #ids)
  note_all('lost', ids)
  return #ids
end
