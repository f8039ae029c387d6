-- fire: puts the job of a schedule in, unless another has done so or the schedule is another by now, and notes when it is due next.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events
-- ARGV[4]    the schedule
-- ARGV[5]    when it was seen to be due
-- ARGV[6]    what it was seen to be, as `schedules` tells of it
-- ARGV[7]    when it is due next, '' for never
-- ARGV[8..]  of the job, nothing if it is left out: type, short id, priority, when, unique key, flags and brief, as add.lua has them
-- Returns {'ok', 1 if it was this call that fired}; {'types', n} and {'full'} as add.lua: nothing is done.
if unknown then return { 'types', types } end
local is_due = call('ZSCORE', SCHEDULES_DUE, ARGV[4]) == ARGV[5] and tonumber(ARGV[5]) <= now
if not is_due or call('HGET', SCHEDULES, ARGV[4]) ~= ARGV[6] then return { 'ok', 0 } end
open(ARGV[1], ARGV[2], ARGV[3])
if #ARGV > 7 then
  local numbers, lacking, new, all_types = number_types({ ARGV[8] })
  if not numbers then
    if lacking == 0 then return { 'full' } end
    return { 'types', lacking }
  end
  remember_types(new, all_types)
  look_at_delayed()
  local id, due, place = ARGV[9], due_at(ARGV[11]), place_of(ARGV[10], call('HINCRBY', META, 'seq', 1))
  if ARGV[12] ~= '' then
    put_unique(id, numbers[1], due, ARGV[13], ARGV[14], place, ARGV[12])
  else
    put_one(id, numbers[1], due, ARGV[13], ARGV[14], place)
    count('added', 1)
    note('added', id)
  end
end
if ARGV[7] == '' then
  call('ZREM', SCHEDULES_DUE, ARGV[4])
  call('HDEL', SCHEDULES, ARGV[4])
else
  call('ZADD', SCHEDULES_DUE, ARGV[7], ARGV[4])
  if #ARGV > 7 then call('HSET', SCHEDULES, ARGV[4], now_text .. sub(ARGV[6], 14)) end
end
close()
return { 'ok', 1 }
