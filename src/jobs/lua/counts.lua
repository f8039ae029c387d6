-- counts: returns the statistics of a queue. Read-only.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    maximum number of priorities to search for the job that has waited longest, 16 jobs each
-- Returns one of:
--   {'ok', now, ready, delayed, leased, done, dead, cancelled, since, {field, value}...}  flat: the number of jobs by state, since when
--       the longest waiting job is ready (0 for none), and the counters
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
-- Repeatable: it only reads.

-- Number of sequences of one priority, as in put.lua.
local SEQUENCES = 8796093022208
-- SINCE in runs and in specs.
local RUN_SINCE, RUN_SINCE_END, SPEC_SINCE, SPEC_SINCE_END = 44, 56, 10, 22

if unknown then return { 'types', types } end
local ready, oldest, looks, bytes = 0, 0, tonumber(ARGV[1]), 0
-- Of the jobs of one priority without a run, the first in line has waited longest. Jobs that became ready again, at their original places,
-- may precede it.
for number = 1, types do
  local key = KEYS[LINES + number]
  ready = ready + call('ZCARD', key)
  local least = '-inf'
  while looks > 0 and bytes < MOST_BYTES do
    looks = looks - 1
    local first = call('ZRANGEBYSCORE', key, least, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if #first == 0 then break end
    local behind = format('%d', (math.floor(first[2] / SEQUENCES) + 1) * SEQUENCES)
    local ids = call('ZRANGEBYSCORE', key, first[2], '(' .. behind, 'LIMIT', 0, 16)
    local runs = call('HMGET', RUNS, unpack(ids))
    for _, run in ipairs(runs) do
      bytes = bytes + (run and #run or 0)
    end
    for i, id in ipairs(ids) do
      local record = runs[i] or call('HGET', SPECS, id) or ''
      if not runs[i] then bytes = bytes + #record end
      local since = tonumber(sub(record, runs[i] and RUN_SINCE or SPEC_SINCE, runs[i] and RUN_SINCE_END or SPEC_SINCE_END))
      if since and (oldest == 0 or since < oldest) then oldest = since end
      if not runs[i] then break end
    end
    least = behind
  end
end
local out = { 'ok', now, ready, call('ZCARD', DELAYED), call('ZCOUNT', LEASED, '-inf', '(+inf'),
  call('ZCARD', DONE), call('ZCARD', DEAD),
  call('ZCARD', CANCELLED), oldest }
for _, word in ipairs(call('HGETALL', META)) do
  out[#out + 1] = word
end
return out
