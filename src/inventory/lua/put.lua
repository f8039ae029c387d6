-- put: sets the quantity of an item, and creates the item if there is none.
-- KEYS[1]   items of the partition
-- KEYS[2]   reservations
-- KEYS[3]   holds by the time at which they expire
-- KEYS[4]   ended and confirmed reservations by the time at which a sweep checks them
-- KEYS[5]   event channel; a sharded channel if its name has a hash tag
-- KEYS[6]   SKUs of the items, in order
-- KEYS[7..] for an item without a group: the entry that names its group, to check that there is none
-- ARGV[1]   retention of an ended reservation, ms
-- ARGV[2]   SKU
-- ARGV[3]   quantity
-- ARGV[4]   expected versions, as expected.lua has them
-- ARGV[5]   group, '*' for none
-- ARGV[6]   '1' if the quantity may be less than what is held and confirmed
-- Returns {'behind'} as reserve.lua does;
--         {'created ITEM'} if there was none;
--         {'done ITEM'};
--         {'version VERSION'} if the item has another version; 0 if there is none;
--         {'below RESERVED'} if more than the quantity is held and confirmed;
--         {'elsewhere GROUP'} if the item belongs to that group.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, MOST_EXPIRED) then return close_books(books, { 'behind' }) end

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
    -- Larger than every version that was deleted here, and by the clock larger than those of the same SKU in another partition,
    -- where the item may have been before. No item changes more than once a microsecond, so each version is unique.
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
  publish_stock(books, 'stock', sku, item)
  return word .. item_text(item)
end

return close_books(books, { put(ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6] == '1') })
