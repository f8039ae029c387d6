-- owned: lists holds of an owner by the time at which they expire.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by the time at which they expire
-- KEYS[4] ended and confirmed reservations by the time at which a sweep checks them
-- KEYS[5] event channel; a sharded channel if its name has a hash tag
-- ARGV[1] retention of an ended reservation, ms
-- ARGV[2] owner, percent-encoded
-- ARGV[3] time at which the last examined hold expires, Unix ms; 0 to begin
-- ARGV[4] id of that hold
-- ARGV[5] number of holds to examine, at most 1,000
-- ARGV[6] number of holds of the owner to return at most
-- Returns {'behind'} as reserve.lua does;
--         else a first answer, followed by 'ID RECORD' for each hold of the owner:
--         'end' if all holds of the partition were examined;
--         'next EXPIRES ID' of the last hold that was examined if there are more.
-- Repeatable: it expires holds that are due, and otherwise only reads.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, MOST_EXPIRED) then return close_books(books, { 'behind' }) end

local owner, looked, most = ARGV[2], tonumber(ARGV[5]), tonumber(ARGV[6])
-- After the last examined hold; from its expiry time on if it no longer exists, so that some holds may be returned twice.
local from = call('ZCOUNT', books.due, '-inf', '(' .. ARGV[3])
if tonumber(call('ZSCORE', books.due, ARGV[4]) or -1) == tonumber(ARGV[3]) then
  from = call('ZRANK', books.due, ARGV[4]) + 1
end
local holds = call('ZRANGE', books.due, from, from + looked - 1, 'WITHSCORES')
local ids = {}
for i = 1, #holds, 2 do ids[#ids + 1] = holds[i] end
local texts = #ids > 0 and call('HMGET', books.reservations, unpack(ids)) or {}
local answers, last = { 'end' }, #ids
for i, id in ipairs(ids) do
  -- Parts are not listed, and neither are reservations that are being created.
  local holder = texts[i] and not find(id, '/', 1, true) and match(texts[i], '^h %d+ %d+ %d+ %S+ %S+ %d+ (%S+) ')
  if holder == owner then answers[#answers + 1] = id .. ' ' .. texts[i] end
  if #answers > most then
    last = i
    break
  end
end
if last < #ids or #ids == looked then answers[1] = format('next %s %s', holds[2 * last], ids[last]) end
return close_books(books, answers)
