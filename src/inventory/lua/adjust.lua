-- adjust: adds to the quantity of an item, or takes from it.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by the time at which they expire
-- KEYS[4] ended and confirmed reservations by the time at which a sweep checks them
-- KEYS[5] event channel; a sharded channel if its name has a hash tag
-- KEYS[6] record of the call's idempotency key; KEYS[1] if it has none
-- ARGV[1] retention of an ended reservation, ms
-- ARGV[2] SKU
-- ARGV[3] change of the quantity
-- ARGV[4] expected versions, as expected.lua has them
-- ARGV[5] digest of the body, '' without an idempotency key
-- ARGV[6] retention of the record of the key, ms
-- Returns {'behind'} as reserve.lua does;
--         {'done ITEM'};
--         {'before ITEM'} with the answer of an earlier call that had the same key and body;
--         {'reused'} if the earlier call with this key had another body;
--         {'unknown'} if there is no item;
--         {'version VERSION'} if the item has another version;
--         {'below RESERVED'} if less would be on hand than is held and confirmed;
--         {'beyond'} if the quantity would be larger than 2^53 - 1.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, MOST_EXPIRED) then return close_books(books, { 'behind' }) end

local once, digest = KEYS[6], ARGV[5]

local function adjust(sku, delta, expected)
  if digest ~= '' then
    local was, answer = match(call('GET', once) or '', '^(%x+) (.+)$')
    if was then return was == digest and 'before ' .. answer or 'reused' end
  end
  local item = item_of(books, sku)
  if not item then return 'unknown' end
  if not is_expected(expected, item.version) then
    return string.format('version %d', item.version)
  end
  if item.quantity + delta > MOST then return 'beyond' end
  -- An oversold item may get more, even if that is still not enough.
  if delta < 0 and item.quantity + delta < item.held + item.confirmed then
    return string.format('below %d', item.held + item.confirmed)
  end
  item.quantity, item.version, item.updated = item.quantity + delta, item.version + 1, books.now
  books.changed_items[sku] = true
  publish_stock(books, 'stock', sku, item)
  if digest ~= '' then call('SET', once, digest .. ' ' .. item_text(item), 'PX', ARGV[6]) end
  return 'done ' .. item_text(item)
end

return close_books(books, { adjust(ARGV[2], tonumber(ARGV[3]), ARGV[4]) })
