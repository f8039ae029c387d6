-- remove: deletes an item of which nothing is held. What is confirmed of it is deleted with it.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by the time at which they expire
-- KEYS[4] ended and confirmed reservations by the time at which a sweep checks them
-- KEYS[5] event channel; a sharded channel if its name has a hash tag
-- KEYS[6] SKUs of the items, in order
-- ARGV[1] retention of an ended reservation, ms
-- ARGV[2] SKU
-- ARGV[3] expected versions, as expected.lua has them
-- Returns {'behind'} as reserve.lua does;
--         {'done ITEM'} with the item as it was;
--         {'unknown'} if there is none;
--         {'version VERSION'} if the item has another version;
--         {'below HELD'} if some of it is held.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, MOST_EXPIRED) then return close_books(books, { 'behind' }) end

local function remove(sku, expected)
  local item = item_of(books, sku)
  if not item then return 'unknown' end
  if not is_expected(expected, item.version) then
    return string.format('version %d', item.version)
  end
  if item.held > 0 then return string.format('below %d', item.held) end
  -- Removed first, so that a Redis whose memory is full accepts it: see close_books.
  redis.call('ZREM', KEYS[6], sku)
  local latest = tonumber(redis.call('HGET', books.items, '') or 0)
  redis.call('HSET', books.items, '', string.format('%d', math.max(latest, item.version)))
  books.item[sku] = false
  books.changed_items[sku] = true
  publish_stock(books, 'deleted', sku, item)
  return 'done ' .. item_text(item)
end

return close_books(books, { remove(ARGV[2], ARGV[3]) })
