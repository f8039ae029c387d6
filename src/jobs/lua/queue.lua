-- Shared by the scripts of a queue: where all of it is, and what every call does at its end. What few of them use is in files of its own:
-- Redis makes every function anew for each call of a script, which costs as much as a command. What few calls of a script use is made
-- at its first use, as `script!` in `commands/mod.rs` has it.
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
-- The record of the call's idempotency key, if it has one; what calls have leased, by their names.
local ONCE, CALLS = KEYS[14], KEYS[15]
-- How long the records are that are longer than SHORT: of specs under their ids, of runs with 'r' behind, of schedules 's:NAME'.
local SIZES = KEYS[16]
-- The ready jobs of type NUMBER are in KEYS[LINES + NUMBER].
local LINES = 16
local MOST_TYPES = 64
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

-- A job counts as so many bytes, and its records in full where they are longer: so most jobs need no account of their own.
local SHORT = 512

local meta = call('HMGET', META, 'types', 'paused', 'bytes')
-- `long_bytes` is the sum of SIZES.
local types, paused, long_bytes = tonumber(meta[1] or 0), meta[2], tonumber(meta[3] or 0)
-- The caller does not know of all types and has to call again; nothing may be done.
local unknown = types > #KEYS - LINES

-- Where waiters are woken, with what word; how many done jobs are kept, how many dead ones and for how long, how many events; how
-- many jobs may wait, and how many bytes the queue may hold.
local wake_channel, queue_name, most_done, most_dead, dead_ms, most_events, most_waiting, most_bytes
local function open(channel, name, limits)
  wake_channel, queue_name = channel, name
  most_done, most_dead, dead_ms, most_events, most_waiting, most_bytes =
    match(limits, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  most_done, most_dead, dead_ms = tonumber(most_done), tonumber(most_dead), tonumber(dead_ms)
  most_waiting, most_bytes = tonumber(most_waiting), tonumber(most_bytes)
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
-- What happened, to which jobs.
local kinds, happened = {}, {}
local function note_all(kind, ids)
  if #ids > 0 then
    kinds[#kinds + 1] = kind
    happened[#kinds] = ids
  end
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
