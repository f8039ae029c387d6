-- validate: reads the session that a token opens, and moves its end if it was not moved recently.
-- KEYS[1] session
-- KEYS[2] sessions in use in the current window, of the partition
-- ARGV[1] SHA-256 of the token
-- ARGV[2] SHA-256 of the part that all tokens of its session share
-- Returns one of, one value per line:
--   'ok', fields  from the second on, as in held.lua
--   'unknown'  no session has the token
--   'reused', subject  the token is no longer accepted: the session is deleted, with all its tokens
-- It moves the end at most once a minute, or in a tenth of the idle time to live if that is shorter. So a session ends at its
-- `ends` to the millisecond, and one that is used at least every nine tenths of its idle time to live does not end for lack of use.
-- It also writes at the first use of a token that rotate created.
-- Repeatable: an end is moved to the same time from now on.
-- Time between two moves of the end at most, ms.
local MOVE_EVERY_MS = 60000
local now = now_ms()
local outcome, f = held(KEYS[1], ARGV[1], ARGV[2], now)
if outcome ~= 'ok' then return refusal(outcome, f) end
if now - tonumber(f[7]) >= math.min(MOVE_EVERY_MS, tonumber(f[8]) / 10) then
  slide(KEYS[1], KEYS[2], f, now)
elseif f.number > f.used then
  note_use(KEYS[1], f)
end
return opened(f)
