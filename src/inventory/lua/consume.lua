-- consume: removes the goods of one item of a confirmed reservation from the stock: they are no longer on hand, nor confirmed.
--          Of a reservation with parts in other partitions it records that decision, or takes it back.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by the time at which they expire
-- KEYS[4] ended and confirmed reservations by the time at which a sweep checks them
-- KEYS[5] event channel; a sharded channel if its name has a hash tag
-- KEYS[6] reservations with parts in other partitions, by the time at which a sweep checks the parts
-- ARGV[1] retention of an ended reservation, ms
-- ARGV[2] id
-- ARGV[3] SKU
-- ARGV[4] quantity, which has to be all that the reservation has of the item
-- ARGV[5] 'undo' to take the decision back, else ''
-- Returns {'behind'} as reserve.lua does;
--         {'done ITEM'} if they are removed, now or before;
--         {'parts RECORD'} if it has parts in other partitions and the decision is recorded, or taken back: consume the part next;
--         {'unknown'} if there is no reservation;
--         {'wrong RECORD'} if it is not confirmed;
--         {'absent SKU'} if it has none of the item, or the item was deleted;
--         {'differs'} if it has another quantity of the item;
--         {'short SKU QUANTITY'} if only that quantity is on hand.
-- For a reservation with parts in other partitions, BORNS has for each of its goods UNDECIDED, DECIDED once its removal is decided, or
-- DECIDED_AGAIN if another call has decided it as well: then it is not taken back, because that call relies on it.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, MOST_EXPIRED) then return close_books(books, { 'behind' }) end

local UNDECIDED, DECIDED, DECIDED_AGAIN = '0', '1', '2'

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
      decided = decided == DECIDED and UNDECIDED or decided
    else
      decided = decided == UNDECIDED and DECIDED or DECIDED_AGAIN
    end
    return (string.gsub(entry, '^%d+', decided))
  end)
  enter(books, id, record, CONFIRMED)
  if not undo then schedule_check(KEYS[6], id, books.now + FOLLOW_UP_MS) end
  return 'parts ' .. record_text(record)
end

local function consume(id, sku, quantity, undo)
  local record = record_of(books, id)
  if not record or record.state == OPENING then return 'unknown' end
  if record.state ~= CONFIRMED then return 'wrong ' .. record_text(record) end
  if record.parts ~= NO_PARTS then return decide(id, record, sku, quantity, undo) end
  local item = item_of(books, sku)
  for i, good in ipairs(goods_of(books, record)) do
    if good[1] == sku and item then
      if good[2] ~= quantity then return 'differs' end
      if counting(books, record)[i] then
        -- The item is oversold.
        if item.quantity < quantity then return string.format('short %s %d', sku, item.quantity) end
        local at = 0
        record.borns = string.gsub(record.borns, '[^,]+', function(entry)
          at = at + 1
          return at == i and string.gsub(entry, '^%d+', '0') or nil
        end)
        enter(books, id, record, CONFIRMED)
        item.quantity, item.confirmed = item.quantity - quantity, item.confirmed - quantity
        item.version, item.updated = item.version + 1, books.now
        books.changed_items[sku] = true
        publish_stock(books, 'stock', sku, item)
      end
      return 'done ' .. item_text(item)
    end
  end
  return 'absent ' .. sku
end

return close_books(books, { consume(ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == 'undo') })
