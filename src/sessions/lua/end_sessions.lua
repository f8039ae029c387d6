-- end_sessions: ends those of a subject's sessions that the caller names.
-- KEYS[1]   index of the subject
-- KEYS[2..] sessions, at most 512
-- ARGV[1]   subject
-- ARGV[2..] the ids of the sessions, in their order
-- Returns {how many were ended, the ids of all that are left}.
local index, ended = KEYS[1], 0
call('ZREMRANGEBYSCORE', index, '-inf', '(' .. text(now_ms()))
for i = 2, #ARGV do
  -- Subjects share partitions: what is another's is left alone.
  if call('HGET', KEYS[i], 'subject') == ARGV[1] then
    call('DEL', KEYS[i])
    ended = ended + 1
  end
  call('ZREM', index, ARGV[i])
end
return { ended, call('ZRANGE', index, 0, 511) }
