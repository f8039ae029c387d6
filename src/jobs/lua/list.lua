-- list: returns the jobs in a state, in their order, after a cursor. Read-only.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    state, its letter
-- ARGV[2]    score of the last job of the previous page; '' for the first page
-- ARGV[3]    its short id
-- ARGV[4]    maximum number of jobs, up to 100; fewer if their records are long
-- Returns one of:
--   {'ok', more, {id, score, spec, run}...}  flat; 1 if there may be more jobs; specs without payloads; run is '' if there is none
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
-- Repeatable: it only reads.
if unknown then return { 'types', types } end
local most, found = tonumber(ARGV[4]), {}
if ARGV[1] == 'r' then
  -- No two jobs have the same score.
  local least = ARGV[2] == '' and '-inf' or '(' .. ARGV[2]
  for number = 1, types do
    local line = call('ZRANGEBYSCORE', KEYS[LINES + number], least, '+inf', 'WITHSCORES', 'LIMIT', 0, most)
    for i = 1, #line, 2 do
      found[#found + 1] = { line[i], line[i + 1], tonumber(line[i + 1]) }
    end
  end
  table.sort(found, function(a, b) return a[3] < b[3] end)
else
  local key, start = ({ w = DELAYED, l = LEASED, d = DONE, x = DEAD, c = CANCELLED })[ARGV[1]], 0
  if ARGV[2] ~= '' then
    if call('ZSCORE', key, ARGV[3]) == ARGV[2] then
      start = call('ZRANK', key, ARGV[3]) + 1
    else
      start = call('ZCOUNT', key, '-inf', '(' .. ARGV[2])
    end
  end
  local line = call('ZRANGE', key, start, start + most - 1, 'WITHSCORES')
  for i = 1, #line, 2 do
    found[#found + 1] = { line[i], line[i + 1] }
  end
end
local ids = {}
for i = 1, math.min(most, #found) do
  ids[i] = found[i][1]
end
local all = #ids
local specs, n = within(SPECS, ids)
for i = all, n + 1, -1 do
  ids[i] = nil
end
local runs
runs, n = within(RUNS, ids)
local out = { 'ok', (n == most or n < all) and 1 or 0 }
local BRIEF = 24
for i = 1, n do
  local spec = specs[i]
  if spec then
    local at = #out
    out[at + 1], out[at + 2], out[at + 3] = ids[i], found[i][2], sub(spec, 1, find(spec, '\n', BRIEF, true) - 1)
    out[at + 4] = runs[i] or ''
  end
end
return out
