-- extend: moves the end of a batch of holds; it never comes nearer.
-- KEYS[1]   items of the partition
-- KEYS[2]   reservations
-- KEYS[3]   holds by their end
-- KEYS[4]   ended and confirmed reservations by when they are looked at again
-- KEYS[5]   event channel; a sharded one if its name has a hash tag
-- KEYS[6]   reservations with parts elsewhere, by when those are looked after
-- ARGV[1]   how long an ended reservation is remembered, ms
-- ARGV[2..] for each of at most 128: id; ms from now or ''; the end in Unix ms or '' (of both the nearer counts); how; which parts
--           How is '', or 'again' to take the stock of one that has run out again; 'back' to let one run out now if its end is
--           still the given one; 'ready' if the parts last until the end, 'soon' if they last for a while and are lengthened next:
--           those that are given, else ''
-- Returns {'behind'} as reserve.lua does, else an answer each: 'done RECORD', 'again RECORD' if its stock was taken again; 'parts
--         RECORD' with the end as it would be, if it has parts, these or others, that are to be extended first; 'wrong RECORD' in
--         another state, 'unknown', 'absent SKU', 'short SKU AVAILABLE'.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, 50) then return close_books(books, { 'behind' }) end

-- How soon others look after the parts if whoever extends this one does not.
local DRIVEN_AFTER_MS = 5000

-- As if its time were over.
local function give_back(id, record, ends)
  if record.state ~= 'h' or record.expires ~= ends then return 'wrong ' .. record_text(record) end
  count(books, record, -1, 0)
  record.ended = books.now
  enter(books, id, record, 'e')
  return 'done ' .. record_text(record)
end

local function extend(id, ms, ends, how, parts)
  local record = record_of(books, id)
  if not record then return 'unknown' end
  ms, ends = tonumber(ms), tonumber(ends)
  if how == 'back' then return give_back(id, record, ends) end
  ends = math.min(ms and books.now + ms or ends, ends or MOST)
  local decides = how == 'ready' or how == 'soon'
  local event, answer = 'extended', 'done '
  if record.state == 'e' and how == 'again' then
    local refusal = obstacle(books, record)
    if refusal then return refusal end
    stamp(books, record)
    count(books, record, 1, 0)
    record.ended = 0
    event, answer = 'held', 'again '
  elseif record.state == 'h' and how == 'again' then
    -- Always a little, so that whoever took it again sees that somebody else counts on it now.
    ends = math.max(ends, record.expires + 1)
  elseif record.state == 'o' and decides and record.parts == parts then
    record.expires = ends
    event = 'held'
  elseif record.state ~= 'h' then
    return 'wrong ' .. record_text(record)
  elseif record.parts ~= '*' and not (decides and record.parts == parts) then
    local expires = record.expires
    record.expires, record.text = math.max(expires, ends), nil
    local text = record_text(record)
    record.expires, record.text = expires, nil
    return 'parts ' .. text
  end
  record.expires = math.max(record.expires, ends)
  enter(books, id, record, 'h')
  if how == 'soon' then look_after(KEYS[6], id, books.now + DRIVEN_AFTER_MS) end
  tell(books, event, id, record)
  return answer .. record_text(record)
end

fetch_records(books, 5)
local answers = {}
for at = 2, #ARGV, 5 do
  answers[#answers + 1] = extend(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
end
return close_books(books, answers)
