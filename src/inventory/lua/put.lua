-- put: sets what is on hand of an item, and makes the item if there is none.
-- KEYS[1]   items of the partition
-- KEYS[2]   reservations
-- KEYS[3]   holds by their end
-- KEYS[4]   ended and confirmed reservations by when they are looked at again
-- KEYS[5]   event channel; a sharded one if its name has a hash tag
-- KEYS[6]   names of the items, in order
-- KEYS[7..] for an item without a group: the entry that names its group if it has one all the same
-- ARGV[1]   how long an ended reservation is remembered, ms
-- ARGV[2]   SKU
-- ARGV[3]   quantity
-- ARGV[4]   expected versions, as expected.lua has them
-- ARGV[5]   group, '*' for none
-- ARGV[6]   '1' if the quantity may be less than what is held and confirmed
-- Returns {'behind'} as reserve.lua does, else {'created ITEM'} or {'done ITEM'}; {'version VERSION'} if another one is there (0: no
--         item), {'below RESERVED'} if more than the quantity is held and confirmed, {'elsewhere GROUP'} if it belongs to that group.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, 50) then return close_books(books, { 'behind' }) end

local function put(sku, quantity, expected, group, may_be_oversold)
  local item = item_of(books, sku)
  local version = item and item.version or 0
  if not item and KEYS[7] then
    local elsewhere = redis.call('GET', KEYS[7])
    if elsewhere then return 'elsewhere ' .. elsewhere end
  end
  if not is_expected(expected, version) then
    return string.format('version %d', version)
  end
  local word = 'done '
  if not item then
    -- Behind every version that was ever deleted here, and by the clock behind those of the same name in another partition: an
    -- item that is made anew may be in a group by now. So no version means two things: none changes oftener than each µs.
    local latest = tonumber(redis.call('HGET', books.items, '') or 0)
    local first = math.max(latest + 1, books.now_us)
    item = { held = 0, confirmed = 0, version = first - 1, born = first, group = group }
    books.item[sku] = item
    redis.call('ZADD', KEYS[6], 0, sku)
    word = 'created '
  elseif quantity < item.held + item.confirmed and not may_be_oversold then
    return string.format('below %d', item.held + item.confirmed)
  end
  item.quantity, item.version, item.updated = quantity, item.version + 1, books.now
  books.changed_items[sku] = true
  tell_stock(books, 'stock', sku, item)
  return word .. item_text(item)
end

return close_books(books, { put(ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6] == '1') })
