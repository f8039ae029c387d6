-- rotate: replaces a session's token; the replaced one is accepted for a grace period.
-- KEYS[1] session
-- KEYS[2] sessions in use in the current window, of the partition
-- ARGV[1] SHA-256 of a token of the session
-- ARGV[2] SHA-256 of the part that all its tokens share
-- ARGV[3] SHA-256 of the new token
-- ARGV[4] grace period of the replaced token, ms
-- Returns one of, one value per line:
--   what validate returns
--   'superseded'  the token is accepted, but a later one is in use
--   'crowded', ms  too many replaced tokens are still accepted; has the time until the next rotation is possible
-- A token that was replaced may rotate again until a later one is used, because the reply to the first rotation may have been lost.
-- That does not extend its grace period, unless it has ended.
local ROOM = 8
local session, now = KEYS[1], now_ms()
local outcome, f = held(session, ARGV[1], ARGV[2], now)
if outcome ~= 'ok' then return refusal(outcome, f) end
if f.number < f.used then return 'superseded' end
local ends = text(now + tonumber(ARGV[4]))
-- A token that is no longer listed is recognised by its family, as one that is no longer accepted.
local replaced, first = { f[1] .. ':' .. ends .. ':' .. f[12] .. ',' }, nil
for token, accepted, number in string.gmatch(f[14], '(%x+):(%d+):(%d+),') do
  local left = tonumber(accepted) - now
  if left > 0 then first = math.min(first or left, left) end
  if token == ARGV[1] and left <= 0 then accepted, left = ends, 1 end
  if left > 0 then replaced[#replaced + 1] = token .. ':' .. accepted .. ':' .. number .. ',' end
end
if first and #replaced > ROOM then return lines({ 'crowded', text(first) }) end
call('HSET', session, 'token', ARGV[3], 'number', text(tonumber(f[12]) + 1), 'replaced', table.concat(replaced))
slide(session, KEYS[2], f, now)
return opened(f)
