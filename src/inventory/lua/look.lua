-- look: reads an item.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by the time at which they expire
-- KEYS[4] ended and confirmed reservations by the time at which a sweep checks them
-- KEYS[5] event channel; a sharded channel if its name has a hash tag
-- ARGV[1] retention of an ended reservation, ms
-- ARGV[2] SKU
-- Returns {'behind'} as reserve.lua does;
--         {'done ITEM'};
--         {'unknown'} if there is none.
-- Repeatable: it expires holds that are due, and otherwise only reads.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, MOST_EXPIRED) then return close_books(books, { 'behind' }) end
local item = item_of(books, ARGV[2])
return close_books(books, { item and 'done ' .. item_text(item) or 'unknown' })
