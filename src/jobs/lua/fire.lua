-- fire: adds the job of a schedule and sets when the schedule is due next, unless it has fired or changed since it was read.
-- META has the short id of the last job of each schedule, as `s:NAME`.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    wake-up channel
-- ARGV[2]    name of the queue
-- ARGV[3]    limits: done jobs and dead jobs kept, retention of dead jobs (ms), events kept, waiting jobs, bytes
-- ARGV[4]    name of the schedule
-- ARGV[5]    when it was due when it was read
-- ARGV[6]    its record when it was read, as schedules.lua returns it
-- ARGV[7]    when it is due next; '' for never
-- ARGV[8]    '1' to add the job even if the last job of the schedule still waits
-- ARGV[9..]  of the job, absent if the firing is skipped: type, short id, priority, run time, terms of the unique key, FLAGS with KEEP and
--            BRIEF, as in add.lua
-- Returns one of:
--   {'ok', 1}  this call fired the schedule; no job is added if the queue is full or the last job still waits
--   {'ok', 0}  nothing is done
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
--   {'full'}  the queue would have too many types: nothing is done

-- Returns whether a job is ready or delayed.
local function is_waiting(id)
  local run = call('HGET', RUNS, id)
  if not run then return call('HEXISTS', SPECS, id) == 1 end
  local state = sub(run, 1, 1)
  return state == 'r' or state == 'w'
end

if unknown then return { 'types', types } end
local is_due = call('ZSCORE', SCHEDULES_DUE, ARGV[4]) == ARGV[5] and tonumber(ARGV[5]) <= now
if not is_due or call('HGET', SCHEDULES, ARGV[4]) ~= ARGV[6] then return { 'ok', 0 } end
open(ARGV[1], ARGV[2], ARGV[3])
local last_job = 's:' .. ARGV[4]
local fires = #ARGV > 8
if fires and ARGV[8] ~= '1' then
  local id = call('HGET', META, last_job)
  if id and is_waiting(id) then
    fires = false
    count('skipped', 1)
  end
end
local bytes = fires and bytes_of(ARGV[14], ARGV[15])
if fires and not has_room(1, bytes) and bound_by(1, bytes) then
  -- A schedule that fires once is tried again; any other fires the next time.
  if ARGV[7] == '' then
    close()
    return { 'ok', 0 }
  end
  fires = false
  count('skipped', 1)
end
if fires then
  local numbers, lacking, new, all_types = number_types({ ARGV[9] })
  if not numbers then
    close()
    if lacking == 0 then return { 'full' } end
    return { 'types', lacking }
  end
  remember_types(new, all_types)
  local id, due, place = ARGV[10], due_at(ARGV[12]), place_of(ARGV[11], call('HINCRBY', META, 'seq', 1))
  if ARGV[13] ~= '' then
    local _, whose = put_unique(id, numbers[1], due, ARGV[14], ARGV[15], place, ARGV[13])
    id = whose
  else
    put_one(id, numbers[1], due, ARGV[14], ARGV[15], place)
    count('added', 1)
    note('added', id)
  end
  call('HSET', META, last_job, id)
end
if ARGV[7] == '' then
  call('ZREM', SCHEDULES_DUE, ARGV[4])
  call('HDEL', SCHEDULES, ARGV[4])
  call('HDEL', META, last_job)
  resize('s:' .. ARGV[4], 0)
else
  call('ZADD', SCHEDULES_DUE, ARGV[7], ARGV[4])
  local LAST_END = 13
  if fires then call('HSET', SCHEDULES, ARGV[4], now_text .. sub(ARGV[6], LAST_END + 1)) end
end
close()
return { 'ok', 1 }
