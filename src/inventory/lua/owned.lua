-- owned: the holds of an owner, by their end.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by their end
-- KEYS[4] ended and confirmed reservations by when they are looked at again
-- KEYS[5] event channel; a sharded one if its name has a hash tag
-- ARGV[1] how long an ended reservation is remembered, ms
-- ARGV[2] owner, percent-encoded
-- ARGV[3] the end of the last hold that was looked at, Unix ms; 0 to begin
-- ARGV[4] its id
-- ARGV[5] how many holds to look at, at most 1,000
-- ARGV[6] how many of the owner's at most
-- Returns {'behind'} as reserve.lua does, else 'end', or 'next END ID' of the last hold that was looked at if there are more; then
--         'ID RECORD' for each of the owner's.
-- Repeatable: it ends what is due, and otherwise only reads.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, 50) then return close_books(books, { 'behind' }) end

local owner, looked, most = ARGV[2], tonumber(ARGV[5]), tonumber(ARGV[6])
-- Behind the last one, or from its end on if it is there no more: then some may come twice.
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
  -- What stands for a part is not the owner's, and what is being made is not there yet.
  local whose = texts[i] and not find(id, '/', 1, true) and match(texts[i], '^h %d+ %d+ %d+ %S+ %S+ %d+ (%S+) ')
  if whose == owner then answers[#answers + 1] = id .. ' ' .. texts[i] end
  if #answers > most then
    last = i
    break
  end
end
if last < #ids or #ids == looked then answers[1] = format('next %s %s', holds[2 * last], ids[last]) end
return close_books(books, answers)
