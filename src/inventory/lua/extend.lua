-- extend: extends a batch of holds. A hold never becomes shorter.
-- KEYS[1]   items of the partition
-- KEYS[2]   reservations
-- KEYS[3]   holds by the time at which they expire
-- KEYS[4]   ended and confirmed reservations by the time at which a sweep checks them
-- KEYS[5]   event channel; a sharded channel if its name has a hash tag
-- KEYS[6]   reservations with parts in other partitions, by the time at which a sweep checks the parts
-- ARGV[1]   retention of an ended reservation, ms
-- ARGV[2..] for each of at most 128: id; ms from now or ''; the new end in Unix ms or '' (the earlier of both counts); mode; PARTS or ''
--           Modes: '' if it is held;
--                  'again' to take the stock of an expired hold again;
--                  'back' to expire the hold now if its end is still the given one;
--                  'ready' if its PARTS last until the end;
--                  'soon' if its PARTS last for a while and are extended next.
-- Returns {'behind'} as reserve.lua does;
--         else an answer for each:
--         'done RECORD' if it is extended;
--         'again RECORD' if it had expired and took its stock again;
--         'parts RECORD', with the new end, if it has parts that have to be extended first;
--         'wrong RECORD' in another state;
--         'unknown' if there is none;
--         'absent SKU' if there is no such item;
--         'short SKU AVAILABLE' if less is available.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, MOST_EXPIRED) then return close_books(books, { 'behind' }) end

-- Expires a hold before its time.
local function expire(id, record, ends)
  if record.state ~= HELD or record.expires ~= ends then return 'wrong ' .. record_text(record) end
  count(books, record, -1, 0)
  record.ended = books.now
  enter(books, id, record, EXPIRED)
  return 'done ' .. record_text(record)
end

local function extend(id, ms, ends, how, parts)
  local record = record_of(books, id)
  if not record then return 'unknown' end
  ms, ends = tonumber(ms), tonumber(ends)
  if how == 'back' then return expire(id, record, ends) end
  ends = math.min(ms and books.now + ms or ends, ends or MOST)
  local decides = how == 'ready' or how == 'soon'
  local event, answer = 'extended', 'done '
  if record.state == EXPIRED and how == 'again' then
    local refusal = obstacle(books, record)
    if refusal then return refusal end
    stamp(books, record)
    count(books, record, 1, 0)
    record.ended = 0
    event, answer = 'held', 'again '
  elseif record.state == HELD and how == 'again' then
    -- Always later than before, so that the call that took the stock again sees that another call relies on it now.
    ends = math.max(ends, record.expires + 1)
  elseif record.state == OPENING and decides and record.parts == parts then
    record.expires = ends
    event = 'held'
  elseif record.state ~= HELD then
    return 'wrong ' .. record_text(record)
  elseif record.parts ~= NO_PARTS and not (decides and record.parts == parts) then
    local expires = record.expires
    record.expires, record.text = math.max(expires, ends), nil
    local text = record_text(record)
    record.expires, record.text = expires, nil
    return 'parts ' .. text
  end
  record.expires = math.max(record.expires, ends)
  enter(books, id, record, HELD)
  if how == 'soon' then schedule_check(KEYS[6], id, books.now + FOLLOW_UP_MS) end
  publish(books, event, id, record)
  return answer .. record_text(record)
end

local ARGS_PER_CALL = 5
fetch_records(books, ARGS_PER_CALL)
local answers = {}
for at = FIRST_CALL, #ARGV, ARGS_PER_CALL do
  answers[#answers + 1] = extend(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
end
return close_books(books, answers)
