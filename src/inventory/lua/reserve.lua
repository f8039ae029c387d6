-- reserve: takes stock for a batch of reservations, each completely or not at all.
-- KEYS[1]   items of the partition
-- KEYS[2]   reservations
-- KEYS[3]   holds by the time at which they expire
-- KEYS[4]   ended and confirmed reservations by the time at which a sweep checks them
-- KEYS[5]   event channel; a sharded channel if its name has a hash tag
-- ARGV[1]   retention of an ended reservation, ms
-- ARGV[2..] for each of at most 128: id; end of the hold in Unix ms ('' for its TTL from now); PARTS; TERMS (see books.lua)
-- Returns {'behind'} if more holds were due than it expires in one call: nothing else was done; run sweep.lua and call again;
--         else an answer for each:
--         'done RECORD' if it was created;
--         'there RECORD' if it was created before with the same terms, whatever its state is now;
--         'differs' if it was created before with other terms;
--         'opening' if it is being created;
--         'absent SKU' if there is no such item;
--         'short SKU AVAILABLE' if less is available.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, MOST_EXPIRED) then return close_books(books, { 'behind' }) end

local function reserve(id, ends, parts, terms)
  local record = record_of(books, id)
  if record then
    if record.terms ~= terms then return 'differs' end
    if record.state == OPENING then return 'opening' end
    return 'there ' .. record_text(record)
  end
  local expires = tonumber(ends) or books.now + terms_of(books, terms).ttl_ms
  record = { created = books.now, expires = expires, ended = 0, parts = parts, terms = terms }
  local refusal = obstacle(books, record)
  if refusal then return refusal end
  stamp(books, record)
  count(books, record, 1, 0)
  enter(books, id, record, HELD)
  if parts ~= NO_PARTS then
    record.state, record.text = OPENING, nil
    books.due_at[id] = books.now + OPENING_MS
  else
    publish(books, 'held', id, record)
  end
  return 'done ' .. record_text(record)
end

local ARGS_PER_CALL = 4
fetch_records(books, ARGS_PER_CALL)
local answers = {}
for at = FIRST_CALL, #ARGV, ARGS_PER_CALL do
  answers[#answers + 1] = reserve(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
end
return close_books(books, answers)
