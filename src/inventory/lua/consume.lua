-- consume: lets what a confirmed reservation has of an item leave for good: it is no longer on hand, nor confirmed.
--         Of a reservation with parts elsewhere it decides that, or takes the decision back: see below.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by their end
-- KEYS[4] ended and confirmed reservations by when they are looked at again
-- KEYS[5] event channel; a sharded one if its name has a hash tag
-- KEYS[6] reservations with parts elsewhere, by when those are looked after
-- ARGV[1] how long an ended reservation is remembered, ms
-- ARGV[2] id of the reservation
-- ARGV[3] SKU
-- ARGV[4] how much, for comparison
-- ARGV[5] 'undo' to take back what this call alone has decided for a reservation with parts elsewhere; else ''
-- Returns {'behind'} as reserve.lua does, else {'done ITEM'}, also if it has left already; {'parts RECORD'} if it has parts elsewhere,
--         and it is decided that it leaves, or decided no more: then the part is consumed next; {'unknown'}, {'wrong RECORD'} if it is not
--         confirmed, {'absent SKU'} if it has none of the item or that is gone, {'differs'} if it has another quantity of it, {'short SKU QUANTITY'}
--         if only so much is on hand.
-- In the BORNS of a reservation with parts elsewhere stands for each of its goods 0, 1 once it was decided that it leaves, 2 if that
-- was decided again: then no call takes it back, because another one may rely on it.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, 50) then return close_books(books, { 'behind' }) end

-- After this time a sweep lets the goods leave if the call that decided it has not.
local DRIVEN_AFTER_MS = 5000

local function decide(id, record, sku, quantity, undo)
  local goods, place = goods_of(books, record), nil
  for i, good in ipairs(goods) do
    if good[1] == sku and good[2] > 0 then place = i end
  end
  if not place then return 'absent ' .. sku end
  if goods[place][2] ~= quantity then return 'differs' end
  if not find(record.borns, ',', 1, true) and #goods > 1 then record.borns = '0' .. string.rep(',0', #goods - 1) end
  local at = 0
  record.borns = string.gsub(record.borns, '[^,]+', function(entry)
    at = at + 1
    if at ~= place then return nil end
    local decided = match(entry, '^%d+')
    if undo then
      decided = decided == '1' and '0' or decided
    else
      decided = decided == '0' and '1' or '2'
    end
    return (string.gsub(entry, '^%d+', decided))
  end)
  enter(books, id, record, 'c')
  if not undo then look_after(KEYS[6], id, books.now + DRIVEN_AFTER_MS) end
  return 'parts ' .. record_text(record)
end

local function consume(id, sku, quantity, undo)
  local record = record_of(books, id)
  if not record or record.state == 'o' then return 'unknown' end
  if record.state ~= 'c' then return 'wrong ' .. record_text(record) end
  if record.parts ~= '*' then return decide(id, record, sku, quantity, undo) end
  local item = item_of(books, sku)
  for i, good in ipairs(goods_of(books, record)) do
    if good[1] == sku and item then
      if good[2] ~= quantity then return 'differs' end
      if counting(books, record)[i] then
        -- It is oversold, so that there is less than has to leave.
        if item.quantity < quantity then return string.format('short %s %d', sku, item.quantity) end
        local at = 0
        record.borns = string.gsub(record.borns, '[^,]+', function(entry)
          at = at + 1
          return at == i and string.gsub(entry, '^%d+', '0') or nil
        end)
        enter(books, id, record, 'c')
        item.quantity, item.confirmed = item.quantity - quantity, item.confirmed - quantity
        item.version, item.updated = item.version + 1, books.now
        books.changed_items[sku] = true
        tell_stock(books, 'stock', sku, item)
      end
      return 'done ' .. item_text(item)
    end
  end
  return 'absent ' .. sku
end

return close_books(books, { consume(ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == 'undo') })
