-- sweep: ends holds whose time is over, and forgets reservations that have ended long ago.
--        After the clock was set back it limits holds to their durations, counted from now on, in pieces.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by their end
-- KEYS[4] ended and confirmed reservations by when they are looked at again
-- KEYS[5] event channel; a sharded one if its name has a hash tag
-- KEYS[6] reservations with parts elsewhere, by when those are looked after
-- KEYS[7] the latest time that a sweep has seen, and the cursor of the correction in progress: 'MS CURSOR', '-' for none
-- KEYS[8] reservations whose parts have heard of the last decision, by when it is checked whether they can be forgotten
-- KEYS[9] names of the items
-- ARGV[1] how long an ended reservation is remembered, ms
-- ARGV[2] how many of each at most, up to 500
-- ARGV[3] how many reservations the caller will look after whose parts have not heard of the last decision; 0 if none
-- ARGV[4] how many of those in KEYS[8] it will check if there are none of the others; 0 if none
-- Returns 'more' if there are more holds to end, 'later' if there are only more to forget or to correct, else 'done'; then 'parted' or
--         'kept', how many items there are, and the ids of those reservations; each is named again, in 5 s or a minute, unless it has been
--         settled.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
local limit = tonumber(ARGV[2])

-- A clock that is behind by less than BEHIND_MS is ignored. The time is written at most every WRITE_EVERY_MS.
local BEHIND_MS, WRITE_EVERY_MS = 1000, 5000
-- How soon parts are checked again, and how long creating a reservation may take, as in reserve.lua.
local AGAIN_MS, OPENING_MS = 5000, 5000
-- How soon those in KEYS[8] are checked again if the caller does not come to it.
local CHECKED_AGAIN_MS = 60000

-- A hold whose creation time is ahead of the clock was made before the clock was set back: it lasts from now on for its full duration.
-- That is never less than it had left.
local function mend(id, record)
  local ahead = record.created - books.now
  if ahead <= 0 or record.state ~= 'h' and record.state ~= 'o' then return end
  record.created, record.expires, record.text = books.now, math.max(record.expires - ahead, books.now), nil
  books.record[id], books.changed_records[id] = record, true
  books.due_at[id] = record.state == 'h' and record.expires or books.now + OPENING_MS
end

-- Redis refuses this when its memory is full. That must not keep the sweep from returning stock.
local function note(mark) redis.pcall('SET', KEYS[7], mark) end

local function mend_times()
  -- No time is written where nothing waits for one.
  if call('EXISTS', books.due, KEYS[6], KEYS[8]) == 0 then return false end
  local seen, cursor = match(call('GET', KEYS[7]) or '', '^(%d+) (%S+)$')
  seen = tonumber(seen) or 0
  local is_set_back = seen > books.now + BEHIND_MS
  if is_set_back then
    cursor = '0'
    -- Checking parts too early does no harm.
    for _, list in ipairs({ KEYS[6], KEYS[8] }) do
      for _, id in ipairs(call('ZRANGE', list, books.now + AGAIN_MS, '+inf', 'BYSCORE', 'LIMIT', 0, 1000)) do
        look_after(list, id, books.now + AGAIN_MS)
      end
    end
  end
  if not cursor or cursor == '-' then
    if books.now - seen >= WRITE_EVERY_MS then note(format('%d -', books.now)) end
    return false
  end
  local piece = call('HSCAN', books.reservations, cursor, 'COUNT', limit)
  for i = 1, #piece[2], 2 do
    mend(piece[2][i], read_record(piece[2][i + 1]))
  end
  cursor = piece[1] == '0' and '-' or piece[1]
  note(format('%d %s', books.now, cursor))
  return cursor ~= '-'
end

local is_mending = mend_times()
local more = expire_due(books, limit)

-- A confirmed reservation is remembered for as long as something of it counts in the stock.
local function counts(record)
  for _, does in ipairs(counting(books, record)) do
    if does then return true end
  end
  return false
end

local ids = redis.call('ZRANGE', books.ended, '-inf', books.now, 'BYSCORE', 'LIMIT', 0, limit)
-- Those that stay are listed anew: for why they are removed first see close_books.
if #ids > 0 then redis.call('ZREM', books.ended, unpack(ids)) end
for _, id in ipairs(ids) do
  local record = record_of(books, id)
  if record and record.state == 'c' and counts(record) then
    books.ended_at[id] = books.now + books.keep_ms
  elseif record and record.state == 'h' then
    books.ended_at[id] = false
  else
    forget(books, id)
  end
end

local answers = { more and 'more' or (#ids == limit or is_mending) and 'later' or 'done', 'parted',
  tostring(redis.call('ZCARD', KEYS[9])) }

local function hand_out(list, most, again_ms)
  if most == 0 then return end
  for _, id in ipairs(call('ZRANGE', list, '-inf', books.now, 'BYSCORE', 'LIMIT', 0, most)) do
    look_after(list, id, books.now + again_ms)
    answers[#answers + 1] = id
  end
end

hand_out(KEYS[6], tonumber(ARGV[3]), AGAIN_MS)
if #answers == 3 then
  answers[2] = 'kept'
  hand_out(KEYS[8], tonumber(ARGV[4]), CHECKED_AGAIN_MS)
end
return close_books(books, answers)
