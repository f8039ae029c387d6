-- reserve: takes stock for a batch of reservations, each wholly or not at all.
-- KEYS[1]   items of the partition
-- KEYS[2]   reservations
-- KEYS[3]   holds by their end
-- KEYS[4]   ended and confirmed reservations by when they are looked at again
-- KEYS[5]   event channel; a sharded one if its name has a hash tag
-- ARGV[1]   how long an ended reservation is remembered, ms
-- ARGV[2..] for each of at most 128: id, end of the hold in Unix ms ('' for its TTL from now), parts, terms (see books.lua)
-- Returns {'behind'} after it ended only some of the holds that are over: nothing else was done, end the others (sweep.lua)
--         and call again. Else an answer each: 'done RECORD'; 'there RECORD' if it was made before on the same terms, whatever
--         became of it, 'differs' if on other terms, 'opening' if its making is still under way; 'absent SKU', 'short SKU AVAILABLE'.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, 50) then return close_books(books, { 'behind' }) end

-- How long one with parts elsewhere may take to be made.
local OPENING_MS = 5000

local function reserve(id, ends, parts, terms)
  local record = record_of(books, id)
  if record then
    if record.terms ~= terms then return 'differs' end
    if record.state == 'o' then return 'opening' end
    return 'there ' .. record_text(record)
  end
  local expires = tonumber(ends) or books.now + wish_of(books, terms).ttl_ms
  record = { created = books.now, expires = expires, ended = 0, parts = parts, terms = terms }
  local refusal = obstacle(books, record)
  if refusal then return refusal end
  stamp(books, record)
  count(books, record, 1, 0)
  enter(books, id, record, 'h')
  if parts ~= '*' then
    record.state, record.text = 'o', nil
    books.due_at[id] = books.now + OPENING_MS
  else
    tell(books, 'held', id, record)
  end
  return 'done ' .. record_text(record)
end

fetch_records(books, 4)
local answers = {}
for at = 2, #ARGV, 4 do
  answers[#answers + 1] = reserve(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
end
return close_books(books, answers)
