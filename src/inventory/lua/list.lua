-- list: lists items of a partition by SKU.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by the time at which they expire
-- KEYS[4] ended and confirmed reservations by the time at which a sweep checks them
-- KEYS[5] event channel; a sharded channel if its name has a hash tag
-- KEYS[6] SKUs of the items, in order
-- ARGV[1] retention of an ended reservation, ms
-- ARGV[2] SKU after which the page begins; '' for the first page
-- ARGV[3] size of the page, up to 500
-- Returns {'behind'} as reserve.lua does;
--         else {'SKU ITEM', …}.
-- Repeatable: it expires holds that are due, and otherwise only reads.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, MOST_EXPIRED) then return close_books(books, { 'behind' }) end
local from = ARGV[2] == '' and '-' or '(' .. ARGV[2]
local names = redis.call('ZRANGE', KEYS[6], from, '+', 'BYLEX', 'LIMIT', 0, ARGV[3])
local answers = {}
for _, sku in ipairs(names) do
  local item = item_of(books, sku)
  if item then answers[#answers + 1] = sku .. ' ' .. item_text(item) end
end
return close_books(books, answers)
