-- confirm: makes a batch of holds final. One that has run out takes its stock again, if that is there.
-- KEYS[1]   items of the partition
-- KEYS[2]   reservations
-- KEYS[3]   holds by their end
-- KEYS[4]   ended and confirmed reservations by when they are looked at again
-- KEYS[5]   event channel; a sharded one if its name has a hash tag
-- KEYS[6]   reservations with parts elsewhere, by when those are looked after
-- ARGV[1]   how long an ended reservation is remembered, ms
-- ARGV[2..] for each of at most 128: id, which parts elsewhere are ready to be confirmed, until when they are; '' and '' for none
-- Returns {'behind'} as reserve.lua does, else an answer each: 'done RECORD', also if it is confirmed already; 'parts RECORD'
--         if it has parts, these or others, that are to be made ready first; 'wrong RECORD' in another state, 'unknown', 'absent SKU',
--         'short SKU AVAILABLE'.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, 50) then return close_books(books, { 'behind' }) end

-- How soon others look after the parts if whoever confirms this one does not.
local DRIVEN_AFTER_MS = 5000
-- How long the parts have to last at least when it is decided: long enough for others to look after them.
local LAST_MS = 2 * DRIVEN_AFTER_MS

local function confirm(id, ready, ends)
  local record = record_of(books, id)
  if not record then return 'unknown' end
  if record.state == 'c' then return 'done ' .. record_text(record) end
  if record.state ~= 'h' and record.state ~= 'e' then return 'wrong ' .. record_text(record) end
  if record.parts ~= '*' and (record.parts ~= ready or tonumber(ends) < books.now + LAST_MS) then
    return 'parts ' .. record_text(record)
  end
  if record.state == 'e' then
    local refusal = obstacle(books, record)
    if refusal then return refusal end
    stamp(books, record)
    count(books, record, 0, 1)
  else
    count(books, record, -1, 1)
  end
  record.ended = books.now
  enter(books, id, record, 'c')
  if record.parts ~= '*' then look_after(KEYS[6], id, books.now + DRIVEN_AFTER_MS) end
  tell(books, 'confirmed', id, record)
  return 'done ' .. record_text(record)
end

fetch_records(books, 3)
local answers = {}
for at = 2, #ARGV, 3 do
  answers[#answers + 1] = confirm(ARGV[at], ARGV[at + 1], ARGV[at + 2])
end
return close_books(books, answers)
