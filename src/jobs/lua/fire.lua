-- fire: puts the job of a schedule in, unless another has done so, and notes when it is due next.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    wake channel
-- ARGV[2]    the queue's name
-- ARGV[3]    limits: done jobs, dead jobs, for how long, ms, events
-- ARGV[4]    the schedule
-- ARGV[5]    when it was seen to be due
-- ARGV[6]    when it is due next, '' for never
-- ARGV[7..]  of the job, nothing if it is left out: type, short id, priority, when, unique key, flags and brief, as add.lua has them
-- Returns {'ok', 1 if it was this call that fired}; {'types', n} and {'full'} as add.lua: nothing is done.
if unknown then return { 'types', types } end
if call('ZSCORE', SCHEDULES_DUE, ARGV[4]) ~= ARGV[5] then return { 'ok', 0 } end
open(ARGV[1], ARGV[2], ARGV[3])
if #ARGV > 6 then
  local numbers, lacking, new, all_types = number_types({ ARGV[7] })
  if not numbers then
    if lacking == 0 then return { 'full' } end
    return { 'types', lacking }
  end
  remember_types(new, all_types)
  look_at_delayed()
  local id, due, place = ARGV[8], due_at(ARGV[10]), place_of(ARGV[9], call('HINCRBY', META, 'seq', 1))
  if ARGV[11] ~= '' then
    put_unique(id, numbers[1], due, ARGV[12], ARGV[13], place, ARGV[11])
  else
    put_one(id, numbers[1], due, ARGV[12], ARGV[13], place)
    count('added', 1)
    note('added', id)
  end
end
if ARGV[6] == '' then
  call('ZREM', SCHEDULES_DUE, ARGV[4])
  call('HDEL', SCHEDULES, ARGV[4])
else
  call('ZADD', SCHEDULES_DUE, ARGV[6], ARGV[4])
end
close()
return { 'ok', 1 }
