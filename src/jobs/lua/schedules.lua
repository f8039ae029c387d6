-- schedules: the schedules of a queue, or of those only what is due, by when they are due.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    '1' for those that are due only
-- ARGV[2]    at most so many, up to 100
-- ARGV[3]    behind the first so many
-- Returns {'ok', now, how many there are in all, {name, due, when it fired last in 13 digits and what it is}...}, flat.
-- Repeatable: it only reads.
local latest = ARGV[1] == '1' and now_text or '+inf'
local found = call('ZRANGEBYSCORE', SCHEDULES_DUE, '-inf', latest, 'WITHSCORES', 'LIMIT', ARGV[3], ARGV[2])
local out = { 'ok', now, call('HLEN', SCHEDULES) }
for i = 1, #found, 2 do
  local n = #out
  out[n + 1], out[n + 2], out[n + 3] = found[i], found[i + 1], call('HGET', SCHEDULES, found[i]) or ''
end
return out
