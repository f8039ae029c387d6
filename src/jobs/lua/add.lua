-- add: adds jobs, all or none.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    wake-up channel
-- ARGV[2]    name of the queue
-- ARGV[3]    limits: done jobs and dead jobs kept, retention of dead jobs (ms), events kept, waiting jobs, bytes
-- ARGV[4]    digest of the body; '' without an idempotency key
-- ARGV[5]    retention of the record of the idempotency key, ms
-- ARGV[6]    number of types of the jobs
-- ARGV[7..]  the types; then of each job: short id, index of its type, priority, run time (see put.lua), terms of the unique key ('' or
--            see put_unique.lua), FLAGS with KEEP, and BRIEF from MAX_ATTEMPTS on with the payload
-- Returns one of:
--   {'ok', 'now', {index, outcome, id}...}  flat; has the jobs whose outcome is not 'created'
--   {'ok', 'before', {index, outcome, id}...}  the first answer to a call with the same key and body, with all jobs
--   {'differs'}  the idempotency key was used with another body
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
--   {'full'}  the queue would have too many types: nothing is done
--   {'far', index}  a job is due too late
--   {'bound', 'waiting' or 'bytes'}  the queue is full
-- Unless it returns 'ok', no job is added.
if unknown then return { 'types', types } end
local digest = ARGV[4]
if digest ~= '' then
  local was, answer = match(call('GET', ONCE) or '', '^(%x+) (.+)$')
  if was and was ~= digest then return { 'differs' } end
  if was then
    local out = { 'ok', 'before' }
    for outcome, id in string.gmatch(answer, '(%a+):(%S+)') do
      local i = (#out - 2) / 3 + 1
      out[#out + 1], out[#out + 2], out[#out + 3] = i, outcome, id
    end
    return out
  end
end
open(ARGV[1], ARGV[2], ARGV[3])
local of_types = tonumber(ARGV[6])
local numbers, lacking, new, all_types = number_types({ unpack(ARGV, 7, 6 + of_types) })
if not numbers then
  if lacking == 0 then return { 'full' } end
  return { 'types', lacking }
end
local first = 7 + of_types
local n = (#ARGV - first + 1) / 7
local dues, bytes = {}, 0
for i = 1, n do
  local due = due_at(ARGV[first + 7 * i - 4])
  if due > from + YEAR_MS then return { 'far', i } end
  dues[i] = due
  bytes = bytes + bytes_of(ARGV[first + 7 * i - 2], ARGV[first + 7 * i - 1])
end
local bound = not has_room(n, bytes) and bound_by(n, bytes)
if bound then
  close()
  return { 'bound', bound }
end

remember_types(new, all_types)
forget_keys(100)
local seq = call('HINCRBY', META, 'seq', n) - n
local out, added, specs, runs, delayed = { 'ok', 'now' }, {}, {}, {}, {}
-- The answer that is stored under the idempotency key, if there is one.
local answer = digest ~= '' and {} or nil
for i = 1, n do
  local at = first + 7 * (i - 1)
  local id, number, place, due = ARGV[at], numbers[tonumber(ARGV[at + 1])], place_of(ARGV[at + 2], seq + i), dues[i]
  if ARGV[at + 4] ~= '' then
    local outcome, whose = put_unique(id, number, due, ARGV[at + 5], ARGV[at + 6], place, ARGV[at + 4])
    if answer then answer[i] = outcome .. ':' .. whose end
    if outcome ~= 'created' then
      out[#out + 1], out[#out + 2], out[#out + 3] = i, outcome, whose
    end
  else
    if answer then answer[i] = 'created:' .. id end
    local spec, run = records_of(number, due, ARGV[at + 5], ARGV[at + 6], place)
    local k = #added
    added[k + 1] = id
    specs[2 * k + 1], specs[2 * k + 2] = id, spec
    if #spec > SHORT then resize(id, #spec) end
    if run then
      k = #runs
      runs[k + 1], runs[k + 2] = id, run
      delayed[k + 1], delayed[k + 2] = stamp(due), id
      will_be_due(due)
    else
      make_ready(number, place, id)
    end
  end
end
many('HSET', SPECS, specs)
many('HSET', RUNS, runs)
many('ZADD', DELAYED, delayed)
line_up()
if #added > 0 then
  count('added', #added)
  note_all('added', added)
end
if answer then call('SET', ONCE, digest .. ' ' .. table.concat(answer, ' '), 'PX', ARGV[5]) end
close()
return out
