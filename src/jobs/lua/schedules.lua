-- schedules: returns the schedules of a queue, or only those that are due, by when they are due. Read-only.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    '1' for those that are due
-- ARGV[2]    maximum number of schedules, up to 100
-- ARGV[3]    number of schedules to skip
-- Returns {'ok', now, all, {name, due, record}...}, flat: the number of all schedules; a record has 13 digits of its last firing, then
--         the JSON
-- Repeatable: it only reads.
local latest = ARGV[1] == '1' and now_text or '+inf'
local found = call('ZRANGEBYSCORE', SCHEDULES_DUE, '-inf', latest, 'WITHSCORES', 'LIMIT', ARGV[3], ARGV[2])
local out = { 'ok', now, call('HLEN', SCHEDULES) }
for i = 1, #found, 2 do
  local n = #out
  out[n + 1], out[n + 2], out[n + 3] = found[i], found[i + 1], call('HGET', SCHEDULES, found[i]) or ''
end
return out
