-- sweep: expires holds that are due, and forgets reservations that ended long ago.
--        After the clock was set back it limits holds to their durations, counted from now on, in several calls.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by the time at which they expire
-- KEYS[4] ended and confirmed reservations by the time at which a sweep checks them
-- KEYS[5] event channel; a sharded channel if its name has a hash tag
-- KEYS[6] reservations with parts in other partitions, by the time at which a sweep checks the parts
-- KEYS[7] latest time that a sweep has seen, and the cursor of the correction in progress: 'MS CURSOR', '-' for none
-- KEYS[8] reservations whose parts have followed the last decision, by the time at which a sweep checks whether they can be forgotten
-- KEYS[9] SKUs of the items
-- ARGV[1] retention of an ended reservation, ms
-- ARGV[2] number of holds to expire and of reservations to forget at most, up to 500
-- ARGV[3] number of reservations of KEYS[6] that the caller checks at most
-- ARGV[4] number of reservations of KEYS[8] that it checks at most if KEYS[6] has none
-- Returns {progress, list, number of items, id, …}:
--         progress 'more' if more holds are due;
--         progress 'later' if there is only more to forget or to correct;
--         progress 'done' otherwise;
--         list 'parted' if the ids are of KEYS[6], which are returned again after 5 s unless they are settled;
--         list 'kept' if the ids are of KEYS[8], which are returned again after a minute unless they are settled.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
local limit = tonumber(ARGV[2])

-- A clock that is behind by less than BEHIND_MS is ignored. The time is written at most every WRITE_EVERY_MS.
local BEHIND_MS, WRITE_EVERY_MS = 1000, 5000
-- The time after which reservations of KEYS[8] are returned again.
local CHECK_AGAIN_MS = 60000
-- Entries of a list that are corrected in one call.
local MOST_CORRECTED = 1000
-- The answers before the ids.
local HEAD = 3

-- A hold whose creation time is ahead of the clock was created before the clock was set back: it lasts for its full duration from now
-- on, which is never less than it had left.
local function correct(id, record)
  local ahead = record.created - books.now
  if ahead <= 0 or record.state ~= HELD and record.state ~= OPENING then return end
  record.created, record.expires, record.text = books.now, math.max(record.expires - ahead, books.now), nil
  books.record[id], books.changed_records[id] = record, true
  books.due_at[id] = record.state == HELD and record.expires or books.now + OPENING_MS
end

-- A Redis whose memory is full refuses this. The sweep must return stock all the same.
local function note(mark) redis.pcall('SET', KEYS[7], mark) end

local function correct_times()
  -- Without holds and parts there is nothing to correct.
  if call('EXISTS', books.due, KEYS[6], KEYS[8]) == 0 then return false end
  local seen, cursor = match(call('GET', KEYS[7]) or '', '^(%d+) (%S+)$')
  seen = tonumber(seen) or 0
  local is_set_back = seen > books.now + BEHIND_MS
  if is_set_back then
    cursor = '0'
    -- Checking parts too early does no harm.
    for _, list in ipairs({ KEYS[6], KEYS[8] }) do
      for _, id in ipairs(call('ZRANGE', list, books.now + FOLLOW_UP_MS, '+inf', 'BYSCORE', 'LIMIT', 0, MOST_CORRECTED)) do
        schedule_check(list, id, books.now + FOLLOW_UP_MS)
      end
    end
  end
  if not cursor or cursor == '-' then
    if books.now - seen >= WRITE_EVERY_MS then note(format('%d -', books.now)) end
    return false
  end
  local piece = call('HSCAN', books.reservations, cursor, 'COUNT', limit)
  for i = 1, #piece[2], 2 do
    correct(piece[2][i], read_record(piece[2][i + 1]))
  end
  cursor = piece[1] == '0' and '-' or piece[1]
  note(format('%d %s', books.now, cursor))
  return cursor ~= '-'
end

local is_correcting = correct_times()
local more = expire_due(books, limit)

-- A confirmed reservation is remembered for as long as something of it counts in the stock.
local function counts(record)
  for _, does in ipairs(counting(books, record)) do
    if does then return true end
  end
  return false
end

local ids = redis.call('ZRANGE', books.ended, '-inf', books.now, 'BYSCORE', 'LIMIT', 0, limit)
-- Removed first, as in close_books; those that stay are listed again.
if #ids > 0 then redis.call('ZREM', books.ended, unpack(ids)) end
for _, id in ipairs(ids) do
  local record = record_of(books, id)
  if record and record.state == CONFIRMED and counts(record) then
    books.ended_at[id] = books.now + books.keep_ms
  elseif record and record.state == HELD then
    books.ended_at[id] = false
  else
    forget(books, id)
  end
end

local answers = { more and 'more' or (#ids == limit or is_correcting) and 'later' or 'done', 'parted',
  tostring(redis.call('ZCARD', KEYS[9])) }

local function hand_out(list, most, again_ms)
  if most == 0 then return end
  for _, id in ipairs(call('ZRANGE', list, '-inf', books.now, 'BYSCORE', 'LIMIT', 0, most)) do
    schedule_check(list, id, books.now + again_ms)
    answers[#answers + 1] = id
  end
end

hand_out(KEYS[6], tonumber(ARGV[3]), FOLLOW_UP_MS)
if #answers == HEAD then
  answers[2] = 'kept'
  hand_out(KEYS[8], tonumber(ARGV[4]), CHECK_AGAIN_MS)
end
return close_books(books, answers)
