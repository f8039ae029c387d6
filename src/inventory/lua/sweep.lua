-- sweep: ends holds whose time is over, and forgets reservations that have ended long ago.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by their end
-- KEYS[4] ended and confirmed reservations by when they are looked at again
-- KEYS[5] event channel; a sharded one if its name has a hash tag
-- KEYS[6] reservations with parts elsewhere, by when those are looked after
-- ARGV[1] how long an ended reservation is remembered, ms
-- ARGV[2] how many of each at most, up to 500
-- ARGV[3] how many reservations the caller will look after whose parts are to be; 0 if none
-- Returns 'more' if there are more holds to end, 'later' if there are only more to forget, else 'done'; then the ids of those
--         reservations; each is named again in 5 s, unless it has been settled.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
local limit = tonumber(ARGV[2])
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

local answers = { more and 'more' or #ids == limit and 'later' or 'done' }
for _, id in ipairs(redis.call('ZRANGE', KEYS[6], '-inf', books.now, 'BYSCORE', 'LIMIT', 0, tonumber(ARGV[3]))) do
  look_after(KEYS[6], id, books.now + 5000)
  answers[#answers + 1] = id
end
return close_books(books, answers)
