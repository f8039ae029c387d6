-- look: an item as it is now.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by their end
-- KEYS[4] ended and confirmed reservations by when they are looked at again
-- KEYS[5] event channel; a sharded one if its name has a hash tag
-- ARGV[1] how long an ended reservation is remembered, ms
-- ARGV[2] SKU
-- Returns {'behind'} as reserve.lua does, else {'done ITEM'} or {'unknown'}.
-- Repeatable: it ends what is due, and otherwise only reads.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, 50) then return close_books(books, { 'behind' }) end
local item = item_of(books, ARGV[2])
return close_books(books, { item and 'done ' .. item_text(item) or 'unknown' })
