-- release: gives the stock of a batch of holds back.
-- KEYS[1]   items of the partition
-- KEYS[2]   reservations
-- KEYS[3]   holds by their end
-- KEYS[4]   ended and confirmed reservations by when they are looked at again
-- KEYS[5]   event channel; a sharded one if its name has a hash tag
-- KEYS[6]   reservations with parts elsewhere, by when those are looked after
-- ARGV[1]   how long an ended reservation is remembered, ms
-- ARGV[2..] for each of at most 128: id, which parts elsewhere it is being made with to undo the making, else ''
-- Returns {'behind'} as reserve.lua does, else an answer each: 'done RECORD', also if it is released already; 'wrong RECORD' in
--         another state, 'unknown'. One that is undone is forgotten as if it had never been asked for; one that has been made,
--         or is being made with other parts, is 'wrong' and left as it is.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, 50) then return close_books(books, { 'behind' }) end

-- How soon others look after the parts if whoever releases this one does not.
local DRIVEN_AFTER_MS = 5000

local function release(id, undo)
  local record = record_of(books, id)
  if not record then return 'unknown' end
  if undo ~= '' then
    if record.state ~= 'o' or record.parts ~= undo then return 'wrong ' .. record_text(record) end
    forget(books, id)
  elseif record.state == 'h' then
    count(books, record, -1, 0)
    record.ended = books.now
    enter(books, id, record, 'r')
    if record.parts ~= '*' then look_after(KEYS[6], id, books.now + DRIVEN_AFTER_MS) end
    tell(books, 'released', id, record)
  elseif record.state ~= 'r' then
    return 'wrong ' .. record_text(record)
  end
  return 'done ' .. record_text(record)
end

fetch_records(books, 2)
local answers = {}
for at = 2, #ARGV, 2 do
  answers[#answers + 1] = release(ARGV[at], ARGV[at + 1])
end
return close_books(books, answers)
