-- recount: removes ended sessions from the ids of their partition, and updates the recorded ends of the others.
-- KEYS[1]   ids of the partition's sessions
-- KEYS[2..] sessions, at most 500
-- ARGV[1..] their ids, in their order
-- Returns how many have ended.
-- Repeatable: an ended session is removed once.
local open, ended = KEYS[1], 0
for i, id in ipairs(ARGV) do
  local ends = call('PEXPIRETIME', KEYS[i + 1])
  if ends > 0 then
    -- Redis may refuse this when its memory is full; the next count returns the session again.
    redis.pcall('ZADD', open, 'XX', text(ends), id)
    call('PEXPIREAT', open, text(ends), 'GT')
  else
    ended = ended + call('ZREM', open, id)
  end
end
return ended
