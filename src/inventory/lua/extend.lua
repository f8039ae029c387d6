-- extend: moves the end of a batch of holds; it never comes nearer.
-- KEYS[1]   items of the partition
-- KEYS[2]   reservations
-- KEYS[3]   holds by their end
-- KEYS[4]   ended and confirmed reservations by when they are looked at again
-- KEYS[5]   event channel; a sharded one if its name has a hash tag
-- ARGV[1]   how long an ended reservation is remembered, ms
-- ARGV[2..] for each of at most 128: id, ms from now or '', else the end in Unix ms or '', 'again' to take the stock of one that
--           has run out again, 'ready' if its parts elsewhere have been extended, else ''
-- Returns {'behind'} as reserve.lua does, else an answer each: 'done RECORD'; 'parts RECORD' with the end as it would be, if it
--         has parts that are to be extended first; 'wrong RECORD' in another state, 'unknown', 'absent SKU', 'short SKU AVAILABLE'.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, 50) then return close_books(books, { 'behind' }) end

local function extend(id, ms, ends, how)
  local record = record_of(books, id)
  if not record then return 'unknown' end
  ends = tonumber(ends) or books.now + tonumber(ms)
  local event = 'extended'
  if record.state == 'e' and how == 'again' then
    local refusal = obstacle(books, record)
    if refusal then return refusal end
    stamp(books, record)
    count(books, record, 1, 0)
    record.ended = 0
    event = 'held'
  elseif record.state == 'o' and how == 'ready' then
    record.expires = ends
  elseif record.state ~= 'h' then
    return 'wrong ' .. record_text(record)
  elseif record.parts ~= '*' and how ~= 'ready' then
    local expires = record.expires
    record.expires, record.text = math.max(expires, ends), nil
    local text = record_text(record)
    record.expires, record.text = expires, nil
    return 'parts ' .. text
  end
  record.expires = math.max(record.expires, ends)
  enter(books, id, record, 'h')
  tell(books, event, id, record)
  return 'done ' .. record_text(record)
end

fetch_records(books, 4)
local answers = {}
for at = 2, #ARGV, 4 do
  answers[#answers + 1] = extend(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
end
return close_books(books, answers)
