-- release: releases a batch of holds.
-- KEYS[1]   items of the partition
-- KEYS[2]   reservations
-- KEYS[3]   holds by the time at which they expire
-- KEYS[4]   ended and confirmed reservations by the time at which a sweep checks them
-- KEYS[5]   event channel; a sharded channel if its name has a hash tag
-- KEYS[6]   reservations with parts in other partitions, by the time at which a sweep checks the parts
-- ARGV[1]   retention of an ended reservation, ms
-- ARGV[2..] for each of at most 128: id; to undo its creation the PARTS that it is being created with, else ''
-- Returns {'behind'} as reserve.lua does;
--         else an answer for each:
--         'done RECORD' if it is released, now or before; if it was undone, it is forgotten;
--         'wrong RECORD' in another state; to undo also if it was created, or is being created with other parts;
--         'unknown' if there is none.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, MOST_EXPIRED) then return close_books(books, { 'behind' }) end

local function release(id, undo)
  local record = record_of(books, id)
  if not record then return 'unknown' end
  if undo ~= '' then
    if record.state ~= OPENING or record.parts ~= undo then return 'wrong ' .. record_text(record) end
    forget(books, id)
  elseif record.state == HELD then
    count(books, record, -1, 0)
    record.ended = books.now
    enter(books, id, record, RELEASED)
    if record.parts ~= NO_PARTS then schedule_check(KEYS[6], id, books.now + FOLLOW_UP_MS) end
    publish(books, 'released', id, record)
  elseif record.state ~= RELEASED then
    return 'wrong ' .. record_text(record)
  end
  return 'done ' .. record_text(record)
end

local ARGS_PER_CALL = 2
fetch_records(books, ARGS_PER_CALL)
local answers = {}
for at = FIRST_CALL, #ARGV, ARGS_PER_CALL do
  answers[#answers + 1] = release(ARGV[at], ARGV[at + 1])
end
return close_books(books, answers)
