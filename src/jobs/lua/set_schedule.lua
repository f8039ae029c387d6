-- set_schedule: sets a schedule of a queue, or takes one away.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    its name
-- ARGV[2]    what it is, '' to take it away
-- ARGV[3]    when it is due, Unix ms
-- ARGV[4]    the schedule, as `schedules` told of it, whose rhythm it goes on in; '' for none
-- ARGV[5]    how many schedules a queue has at most
-- ARGV[6]    the type of its jobs, which is given its number now: a firing finds nobody to be refused to
-- ARGV[7]    how many bytes the queue may hold
-- Returns {'ok', 1 if there was one of that name, when it is due}; {'crowded'}: there are too many; {'types', n}, {'full'} and
-- {'bound', 'bytes'} as add.lua: nothing is done.
if unknown then return { 'types', types } end
local was = call('HGET', SCHEDULES, ARGV[1])
if ARGV[2] == '' then
  call('ZREM', SCHEDULES_DUE, ARGV[1])
  call('HDEL', SCHEDULES, ARGV[1])
  call('HDEL', META, 's:' .. ARGV[1])
  resize('s:' .. ARGV[1], 0)
  close()
  return { 'ok', was and 1 or 0, 0 }
end
if not was and call('HLEN', SCHEDULES) >= tonumber(ARGV[5]) then return { 'crowded' } end
local numbers, lacking, new, all_types = number_types({ ARGV[6] })
if not numbers then
  if lacking == 0 then return { 'full' } end
  return { 'types', lacking }
end
-- All that a schedule is counts, and SHORT for the rest of it.
local size = SHORT + 13 + #ARGV[2]
local _, all_bytes = held()
if not was and all_bytes + size > tonumber(ARGV[7]) then return { 'bound', 'bytes' } end
if was and #was < 13 + #ARGV[2] and all_bytes + 13 + #ARGV[2] - #was > tonumber(ARGV[7]) then return { 'bound', 'bytes' } end
remember_types(new, all_types)
resize('s:' .. ARGV[1], size)
-- It may have fired since it was looked at: then it is due later, and keeps that.
local goes_on = was and sub(was, 14) == sub(ARGV[4], 14)
local due = goes_on and call('ZSCORE', SCHEDULES_DUE, ARGV[1]) or ARGV[3]
call('HSET', SCHEDULES, ARGV[1], (goes_on and sub(was, 1, 13) or NEVER) .. ARGV[2])
call('ZADD', SCHEDULES_DUE, due, ARGV[1])
close()
return { 'ok', was and 1 or 0, due }
