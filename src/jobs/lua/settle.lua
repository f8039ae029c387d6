-- settle: ends leases and leases the next jobs.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    wake-up channel
-- ARGV[2]    name of the queue
-- ARGV[3]    limits: done jobs and dead jobs kept, retention of dead jobs (ms), events kept, waiting jobs, bytes
-- ARGV[4]    token of the next leases; '' to lease nothing
-- ARGV[5]    maximum number of jobs to lease
-- ARGV[6]    duration of the leases, ms
-- ARGV[7]    number of types to lease; 0 for all types
-- ARGV[8]    '1' if a lease was held in an earlier part of the same call
-- ARGV[9]    name of the call; '' to lease nothing
-- ARGV[10]   maximum size of the specs, bytes; a single larger job is leased alone
-- ARGV[11..] the types, then groups of leases to end. A group has a token, 'd' or 'e', the number of leases, and of each lease the short id
--            and, in a group 'e', its end. The leases of a group 'd' are completed without a result. An end is one of:
--              'c' RESULT  completed
--              'f' RETRY ' ' ERROR  failed
--              't' MS ' ' TYPE '\n' PAYLOAD  continues after MS with this type and payload; each may be '' to stay as it is
--              'r'  released
--            RETRY is one of:
--              'p' DRAWN  after the backoff; DRAWN is 0 to 999, for the jitter
--              'p' DRAWN ',' MS  after the backoff, but not before MS
--              'n0'  never
--              'a' MS  after MS
--              'u' MS  after MS, and on the first day of the job the attempt does not count
-- Returns one of:
--   {'ok', outcomes, now, due, {id, attempt, spec}...}  flat, as in lease.lua
--   {'ok', outcomes, now}  nothing is leased, because no lease of the call was held or none was requested
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
--   {'full'}  the queue would have too many types: nothing is done
-- Outcomes has a letter for each lease: the state of the job, upper-case if the token does not hold the lease; '?' if there is no such job.

-- The first byte of a run that is leased (`l`), and of the end of a completed lease (`c`).
local LEASED_STATE, COMPLETED = 108, 99

local function completed(n)
  local minute = math.floor(now / 60000)
  count('completed', n)
  count_within(minute, 'm' .. minute % 60, n)
end
-- Frees the unique key of a job that is done, unless the key is kept for a time.
local function free_key(key, id)
  if call('HGET', UNIQUE, key) == '0 ' .. id then call('HDEL', UNIQUE, key) end
end

if unknown then return { 'types', types } end
open(ARGV[1], ARGV[2], ARGV[3])
local first = 11 + tonumber(ARGV[7])
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
local types_by_name
if #renamed > 0 then
  local numbers, refusal = number_new_types(renamed, ids, tokens, hows)
  if not numbers then return refusal end
  types_by_name = numbers
end

promote(100)
local expired = call('ZRANGEBYSCORE', LEASED, '-inf', now_text, 'LIMIT', 0, 100)
local behind = #expired > 0 and reclaim(expired, 100)
line_up()

local runs = n > 0 and call('HMGET', RUNS, unpack(ids)) or {}
local deadlines = behind and n > 0 and call('ZMSCORE', LEASED, unpack(ids))
local outcomes, over, gone, kept, keeps, ends, done, spent = {}, {}, {}, {}, {}, {}, {}, {}
local died, cancelled = false, false
-- The run time is sampled: some sixteen jobs of a call, each of which counts for several.
local every = math.ceil(n / 16)
-- In FLAGS.
local IS_FORGOTTEN, HAS_KEY = 1, 2
-- The offsets of fields in runs, and of BRIEF in specs.
local TOKEN, LEASED_AT, FLAGS, KEEP, WHERE, SINCE_END = 3, 19, 32, 33, 44, 56
local TOKEN_END, LEASED_END, KEEP_END, ATTEMPTS_END, BRIEF = 18, 31, 40, 43, 24
for i = 1, n do
  local id, run, token, how = ids[i], runs[i], tokens[i], hows[i]
  local verb = how and byte(how) or COMPLETED
  if not run then
    outcomes[i] = call('HEXISTS', SPECS, id) == 1 and 'R' or '?'
  elseif sub(run, TOKEN, TOKEN_END) ~= token then
    outcomes[i] = string.upper(sub(run, 1, 1))
  elseif byte(run) ~= LEASED_STATE or deadlines and tonumber(deadlines[i] or 0) <= now then
    -- A repeated call, or a call after the lease has expired.
    outcomes[i] = byte(run, 2) == verb and sub(run, 1, 1) or string.upper(sub(run, 1, 1))
  elseif verb == COMPLETED then
    over[#over + 1], done[#done + 1], outcomes[i] = id, id, 'd'
    if i % every == 0 then
      local k = bucket(now - sub(run, LEASED_AT, LEASED_END))
      spent[k] = (spent[k] or 0) + every
    end
    local flags = byte(run, FLAGS)
    -- The runs of jobs that an earlier version has leased do not have the key.
    if flags % (2 * HAS_KEY) >= HAS_KEY then
      free_key(match(run, '^%d+ (%S+)', WHERE) or match(call('HGET', SPECS, id), ' (%S*)\n', BRIEF), id)
    end
    if flags % (2 * IS_FORGOTTEN) >= IS_FORGOTTEN then
      gone[#gone + 1] = id
    else
      local tail = find(run, '\n', WHERE, true)
      tail = tail and sub(run, tail) or ''
      if how then
        local progress, _, errors = parts(tail)
        tail = '\n' .. progress .. '\n' .. sub(how, 2) .. errors
      end
      local j = #kept
      kept[j + 1], kept[j + 2] = id, 'dc' .. sub(run, TOKEN, ATTEMPTS_END) .. now_text .. tail
      resize(id .. 'r', SINCE_END + #tail)
      local keep = sub(run, KEEP, KEEP_END)
      keeps[keep] = keeps[keep] or stamp(now + 1000 * keep)
      ends[j + 1], ends[j + 2] = keeps[keep], id
    end
  else
    over[#over + 1] = id
    outcomes[i] = end_lease(run, id, how, types_by_name)
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
  local types_wanted = { unpack(ARGV, 11, 10 + tonumber(ARGV[7])) }
  lease(out, ARGV[4], ARGV[9], tonumber(ARGV[5]), tonumber(ARGV[10]), tonumber(ARGV[6]), types_wanted)
end
close()
return out
