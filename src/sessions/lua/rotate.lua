-- rotate: replaces a session's token; the one before is honoured for a while still.
-- KEYS[1] session
-- KEYS[2] sessions in use lately, of the partition
-- ARGV[1] SHA-256 of a token of the session
-- ARGV[2] SHA-256 of the new token
-- ARGV[3] how long the one before is honoured, ms
-- ARGV[4] how many replaced tokens are remembered
-- Returns what validate does.
-- A token that was replaced and is honoured still may rotate again: the answer to the first time may have been lost. The
-- time up to which it is honoured does not move by that.
local session, now = KEYS[1], now_ms()
local outcome, f = held(session, ARGV[1], now)
if outcome ~= 'ok' then return refusal(outcome, f) end
-- The remembered lie in a ring: `r:0` and on name them, so that the oldest makes way.
local place = 'r:' .. (call('HINCRBY', session, 'rotations', 1) - 1) % tonumber(ARGV[4])
local forgotten = call('HGET', session, place)
if forgotten then call('HDEL', session, 's:' .. forgotten) end
call('HSET', session, 'token', ARGV[2], place, f[1], 's:' .. f[1], text(now + tonumber(ARGV[3])))
slide(session, KEYS[2], f, now)
return opened(f)
