-- list: reads the named sessions of a subject, and returns the ids of all.
-- KEYS[1]   index of the subject
-- KEYS[2..] sessions, at most 512
-- ARGV[1..] the ids of the sessions, in their order
-- Returns {the ids of all, then for each named session that exists, the oldest first: id, about, born, seen, idle, ends and
--         absolute, one value per line}. Removes ended sessions from the index.
-- Repeatable: it removes only what has ended.
local index, rows = KEYS[1], {}
call('ZREMRANGEBYSCORE', index, '-inf', '(' .. text(now_ms()))
for i = 1, #ARGV do
  local f = call('HMGET', KEYS[i + 1], 'about', 'born', 'seen', 'idle', 'ends', 'absolute')
  if f[1] then
    rows[#rows + 1] = { ARGV[i], unpack(f) }
  else
    call('ZREM', index, ARGV[i])
  end
end
table.sort(rows, function(a, b) return tonumber(a[3]) < tonumber(b[3]) end)
for i, row in ipairs(rows) do rows[i] = lines(row) end
return { call('ZRANGE', index, 0, MOST_SESSIONS - 1), rows }
