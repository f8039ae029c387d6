-- end_sessions: ends the named sessions of a subject.
-- KEYS[1]   index of the subject
-- KEYS[2]   ids of the partition's sessions
-- KEYS[3..] sessions, at most 512
-- ARGV[1]   subject
-- ARGV[2..] the ids of the sessions, in their order
-- Returns {how many were ended, the ids of all that are left}.
local index, ended = KEYS[1], 0
call('ZREMRANGEBYSCORE', index, '-inf', '(' .. text(now_ms()))
for i = 2, #ARGV do
  -- Subjects share partitions, so sessions of another subject are left unchanged.
  local whose = call('HGET', KEYS[i + 1], 'subject')
  if whose == ARGV[1] then
    call('DEL', KEYS[i + 1])
    ended = ended + 1
  end
  if not whose or whose == ARGV[1] then call('ZREM', KEYS[2], ARGV[i]) end
  call('ZREM', index, ARGV[i])
end
return { ended, call('ZRANGE', index, 0, MOST_SESSIONS - 1) }
