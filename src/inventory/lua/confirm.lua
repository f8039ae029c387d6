-- confirm: confirms a batch of holds. An expired hold takes its stock again if that is available.
-- KEYS[1]   items of the partition
-- KEYS[2]   reservations
-- KEYS[3]   holds by the time at which they expire
-- KEYS[4]   ended and confirmed reservations by the time at which a sweep checks them
-- KEYS[5]   event channel; a sharded channel if its name has a hash tag
-- KEYS[6]   reservations with parts in other partitions, by the time at which a sweep checks the parts
-- ARGV[1]   retention of an ended reservation, ms
-- ARGV[2..] for each of at most 128: id; the PARTS that are prepared; until when they are, Unix ms; '' and '' without parts
-- Returns {'behind'} as reserve.lua does;
--         else an answer for each:
--         'done RECORD' if it is confirmed, now or before;
--         'parts RECORD' if it has parts that have to be prepared first: other parts, or these for longer;
--         'wrong RECORD' in another state;
--         'unknown' if there is none;
--         'absent SKU' if there is no such item;
--         'short SKU AVAILABLE' if less is available.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, MOST_EXPIRED) then return close_books(books, { 'behind' }) end

-- The shortest time that prepared parts have to last when the record decides: long enough for a sweep to complete the decision.
local LAST_MS = 2 * FOLLOW_UP_MS

local function confirm(id, ready, ends)
  local record = record_of(books, id)
  if not record then return 'unknown' end
  if record.state == CONFIRMED then return 'done ' .. record_text(record) end
  if record.state ~= HELD and record.state ~= EXPIRED then return 'wrong ' .. record_text(record) end
  if record.parts ~= NO_PARTS and (record.parts ~= ready or tonumber(ends) < books.now + LAST_MS) then
    return 'parts ' .. record_text(record)
  end
  if record.state == EXPIRED then
    local refusal = obstacle(books, record)
    if refusal then return refusal end
    stamp(books, record)
    count(books, record, 0, 1)
  else
    count(books, record, -1, 1)
  end
  record.ended = books.now
  enter(books, id, record, CONFIRMED)
  if record.parts ~= NO_PARTS then schedule_check(KEYS[6], id, books.now + FOLLOW_UP_MS) end
  publish(books, 'confirmed', id, record)
  return 'done ' .. record_text(record)
end

local ARGS_PER_CALL = 3
fetch_records(books, ARGS_PER_CALL)
local answers = {}
for at = FIRST_CALL, #ARGV, ARGS_PER_CALL do
  answers[#answers + 1] = confirm(ARGV[at], ARGV[at + 1], ARGV[at + 2])
end
return close_books(books, answers)
