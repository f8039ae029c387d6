-- set_schedule: sets or deletes a schedule of a queue.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    name of the schedule
-- ARGV[2]    its JSON; '' to delete it
-- ARGV[3]    when it is due, Unix ms
-- ARGV[4]    its previous record, as schedules.lua returned it, if it keeps its firing times; else ''
-- ARGV[5]    maximum number of schedules
-- ARGV[6]    type of its jobs, which gets its number now, because a firing has no client that could be refused
-- ARGV[7]    maximum number of bytes of the queue
-- Returns one of:
--   {'ok', existed, due}  1 if there was a schedule of that name, and when it is due
--   {'crowded'}  the queue has too many schedules: nothing is done
--   {'bound', 'bytes'}  the queue is full: nothing is done
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
--   {'full'}  the queue would have too many types: nothing is done
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
-- A record has the last firing, then the JSON.
local LAST_END = 13
-- A schedule counts the bytes of its record, and SHORT for its other entries.
local size = SHORT + LAST_END + #ARGV[2]
local _, all_bytes = held()
if not was and all_bytes + size > tonumber(ARGV[7]) then return { 'bound', 'bytes' } end
local grows_by = was and LAST_END + #ARGV[2] - #was or 0
if grows_by > 0 and all_bytes + grows_by > tonumber(ARGV[7]) then return { 'bound', 'bytes' } end
remember_types(new, all_types)
resize('s:' .. ARGV[1], size)
-- If the schedule has fired since it was read, it keeps its new due time.
local unchanged = was and sub(was, LAST_END + 1) == sub(ARGV[4], LAST_END + 1)
local due = unchanged and call('ZSCORE', SCHEDULES_DUE, ARGV[1]) or ARGV[3]
call('HSET', SCHEDULES, ARGV[1], (unchanged and sub(was, 1, LAST_END) or NEVER) .. ARGV[2])
call('ZADD', SCHEDULES_DUE, due, ARGV[1])
close()
return { 'ok', was and 1 or 0, due }
