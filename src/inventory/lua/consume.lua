-- consume: lets what a confirmed reservation has of an item leave for good: it is no longer on hand, nor confirmed.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by their end
-- KEYS[4] ended and confirmed reservations by when they are looked at again
-- KEYS[5] event channel; a sharded one if its name has a hash tag
-- ARGV[1] how long an ended reservation is remembered, ms
-- ARGV[2] id of the reservation
-- ARGV[3] SKU
-- ARGV[4] how much, for comparison
-- Returns {'behind'} as reserve.lua does, else {'done ITEM'}, also if it has left already; {'unknown'}, {'wrong RECORD'} if it is not
--         confirmed, {'absent SKU'} if it has none of the item or that is gone, {'differs'} if it has another quantity of it, {'short SKU QUANTITY'}
--         if only so much is on hand.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, 50) then return close_books(books, { 'behind' }) end

local function consume(id, sku, quantity)
  local record = record_of(books, id)
  if not record then return 'unknown' end
  if record.state ~= 'c' then return 'wrong ' .. record_text(record) end
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

return close_books(books, { consume(ARGV[2], ARGV[3], tonumber(ARGV[4])) })
