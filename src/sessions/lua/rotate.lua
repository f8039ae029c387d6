-- rotate: replaces a session's token; the one before is honoured for a while still.
-- KEYS[1] session
-- KEYS[2] sessions in use lately, of the partition
-- ARGV[1] SHA-256 of a token of the session
-- ARGV[2] SHA-256 of what all its tokens have in common
-- ARGV[3] SHA-256 of the new token
-- ARGV[4] how long the one before is honoured, ms
-- Returns what validate does; or 'superseded' for a token that is honoured while a later one is in use; or 'crowded' and the
--         ms until there is room, if too many replaced tokens are honoured still.
-- A token that was replaced may rotate again until a later one is used: the answer to the first time may have been lost.
-- The time up to which it is honoured does not move by that, unless it is over.
local ROOM = 8
local session, now = KEYS[1], now_ms()
local outcome, f = held(session, ARGV[1], ARGV[2], now)
if outcome ~= 'ok' then return refusal(outcome, f) end
if f.number < f.used then return 'superseded' end
local ends = text(now + tonumber(ARGV[4]))
-- What is forgotten is known by its family, as one that is honoured no more.
local replaced, first = { f[1] .. ':' .. ends .. ':' .. f[12] .. ',' }, nil
for token, honoured, number in string.gmatch(f[14], '(%x+):(%d+):(%d+),') do
  local left = tonumber(honoured) - now
  if left > 0 then first = math.min(first or left, left) end
  if token == ARGV[1] and left <= 0 then honoured, left = ends, 1 end
  if left > 0 then replaced[#replaced + 1] = token .. ':' .. honoured .. ':' .. number .. ',' end
end
if first and #replaced > ROOM then return lines({ 'crowded', text(first) }) end
call('HSET', session, 'token', ARGV[3], 'number', text(tonumber(f[12]) + 1), 'replaced', table.concat(replaced))
slide(session, KEYS[2], f, now)
return opened(f)
