-- find: reads a reservation.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by the time at which they expire
-- KEYS[4] ended and confirmed reservations by the time at which a sweep checks them
-- KEYS[5] event channel; a sharded channel if its name has a hash tag
-- ARGV[1] retention of an ended reservation, ms
-- ARGV[2] id
-- Returns {'behind'} as reserve.lua does;
--         {'done RECORD'};
--         {'unknown'} if there is none.
-- Repeatable: it expires holds that are due, and otherwise only reads.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, MOST_EXPIRED) then return close_books(books, { 'behind' }) end
local record = record_of(books, ARGV[2])
return close_books(books, { record and 'done ' .. record_text(record) or 'unknown' })
