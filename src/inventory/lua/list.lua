-- list: the items of a partition behind a name, by name.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by their end
-- KEYS[4] ended and confirmed reservations by when they are looked at again
-- KEYS[5] event channel; a sharded one if its name has a hash tag
-- KEYS[6] names of the items, in order
-- ARGV[1] how long an ended reservation is remembered, ms
-- ARGV[2] the name to begin behind; '' for the first
-- ARGV[3] how many at most, up to 500
-- Returns {'behind'} as reserve.lua does, else 'SKU ITEM' for each.
-- Repeatable: it ends what is due, and otherwise only reads.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, 50) then return close_books(books, { 'behind' }) end
local from = ARGV[2] == '' and '-' or '(' .. ARGV[2]
local names = redis.call('ZRANGE', KEYS[6], from, '+', 'BYLEX', 'LIMIT', 0, ARGV[3])
local answers = {}
for _, sku in ipairs(names) do
  local item = item_of(books, sku)
  if item then answers[#answers + 1] = sku .. ' ' .. item_text(item) end
end
return close_books(books, answers)
