-- fire: puts the job of a schedule in, unless another has done so or the schedule is another by now, and notes when it is due next.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events, waiting jobs, bytes
-- ARGV[4]    the schedule
-- ARGV[5]    when it was seen to be due
-- ARGV[6]    what it was seen to be, as `schedules` tells of it
-- ARGV[7]    when it is due next, '' for never
-- ARGV[8]    '1' to put the job in even if the last one of the schedule waits still
-- ARGV[9..]  of the job, nothing if it is left out: type, short id, priority, when, unique key, flags and brief, as add.lua has them
-- Returns {'ok', 1 if it was this call that fired}, and puts no job in if the queue has no room; {'types', n} and {'full'} as add.lua: nothing is done.
-- META has the short id of the last job of each schedule, as `s:NAME`.
-- Whether a job is in line or delayed.
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
  if fires then call('HSET', SCHEDULES, ARGV[4], now_text .. sub(ARGV[6], 14)) end
end
close()
return { 'ok', 1 }
