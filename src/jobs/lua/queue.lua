-- Shared by all scripts of a queue: the names of its keys, and the end of every call. Functions that few scripts use are in files of their
-- own: Redis creates every function again for each call of a script, which costs as much as a command. Functions that few calls of a script
-- use are created at their first use, by `script!` in `commands/mod.rs`.
--
-- A job has two records, in hashes under its short id. Times are Unix ms of 13 digits; names in capitals are fields:
--   specs  FLAGS KEEP SINCE ' ' BRIEF '\n' PAYLOAD      the job as it was added
--   BRIEF  NUMBER PLACE CREATED MAX_ATTEMPTS BACKOFF BASE_MS MAX_MS JITTER TIMEOUT_MS PRIORITY TYPE UNIQUE_KEY
--   runs   STATE END TOKEN LEASED FLAGS KEEP ATTEMPTS [WHERE] ['\n' PROGRESS '\n' RESULT {'\n' ERROR}]
--   WHERE  SINCE ' ' NUMBER ' ' PLACE; while it is leased LEASED ' ' UNIQUE_KEY if it has a unique key, so that its end need not
--          read the spec for that, or nothing
-- FLAGS is '@' plus 1 if the job is deleted when it is done, 2 if it has a unique key, 4 if it has a time limit; of a run, plus 8 if
-- another job has taken the key since it was leased. KEEP is the retention of a done job in s, 8 digits. SINCE of a spec is when the job
-- is first due; of a run, since when it is ready or has ended. STATE is 'l' leased, 'r' ready, 'w' delayed, 'd' done, 'x' dead, 'c'
-- cancelled. END is how the last lease ended: 'c' completed, 'f' failed, 't' continued, 'r' released, '-' otherwise. TOKEN has 16
-- characters, ATTEMPTS 3 digits.
-- A job that was always ready has no run. Fields that scripts read often are short and at fixed offsets: Redis's Lua hashes every byte of
-- every new string, and formats numbers slowly.
local META, SPECS, RUNS, DELAYED, LEASED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local DONE, DEAD, CANCELLED, UNIQUE, UNIQUE_ENDS, EVENTS = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local SCHEDULES, SCHEDULES_DUE = KEYS[12], KEYS[13]
-- The record of the idempotency key of the call, if it has one; the jobs that calls have leased, by the names of the calls.
local ONCE, CALLS = KEYS[14], KEYS[15]
-- The sizes of the records that are longer than SHORT: of specs under the id, of runs under the id and 'r', of schedules under 's:NAME'.
local SIZES = KEYS[16]
-- The ready jobs of type NUMBER are in KEYS[LINES + NUMBER].
local LINES = 16
local MOST_TYPES = 64
-- A placeholder in small, often used hashes and sorted sets, under the empty name or after all others: with an entry of this length Redis
-- does not encode them as list packs, in which each lookup is a linear scan.
local WEIGHT = string.rep('-', 65)
local NO_TOKEN, NEVER = '----------------', '0000000000000'

local call, sub, byte, find, match, format = redis.call, string.sub, string.byte, string.find, string.match, string.format
local time = call('TIME')
-- The time in whole ms, rounded down, and rounded up: durations are counted from the latter.
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local from = time[1] * 1000 + math.ceil(time[2] / 1000)
local now_text = format('%013d', now)

-- The number of bytes that a job counts. Longer records count in full, so that most jobs need no account of their own.
local SHORT = 512

local meta = call('HMGET', META, 'types', 'paused', 'bytes')
-- `long_bytes` is the sum of SIZES.
local types, paused, long_bytes = tonumber(meta[1] or 0), meta[2], tonumber(meta[3] or 0)
-- Whether the caller lacks the keys of some types. Then nothing may be done, and it has to call again.
local unknown = types > #KEYS - LINES

-- The wake-up channel and its message; the number of done jobs and dead jobs kept, and the retention of dead jobs; the number of events
-- kept; the maximum number of waiting jobs and of bytes.
local wake_channel, queue_name, most_done, most_dead, dead_ms, most_events, most_waiting, most_bytes
local function open(channel, name, limits)
  wake_channel, queue_name = channel, name
  most_done, most_dead, dead_ms, most_events, most_waiting, most_bytes =
    match(limits, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  most_done, most_dead, dead_ms = tonumber(most_done), tonumber(most_dead), tonumber(dead_ms)
  most_waiting, most_bytes = tonumber(most_waiting), tonumber(most_bytes)
end

-- Runs a variadic command, in pieces of up to 1000 arguments.
local function many(command, key, list)
  local n = #list
  for i = 1, n, 1000 do
    call(command, key, unpack(list, i, math.min(i + 999, n)))
  end
end

-- Changes of the counters. Some count within a span of time: the upper bits of their values are the number of the span.
local SPAN = 4294967296
local tally, spans = {}, {}
local function count(field, n)
  tally[field] = (tally[field] or 0) + n
end
-- The kinds of events of this call, and their jobs.
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
      if span and (n < span or n >= span + SPAN) then n = span end
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

-- Jobs that become ready, each with its place, by the number of the type.
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
