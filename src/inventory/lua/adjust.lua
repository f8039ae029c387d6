-- adjust: adds to what is on hand of an item, or takes from it.
-- KEYS[1] items of the partition
-- KEYS[2] reservations
-- KEYS[3] holds by their end
-- KEYS[4] ended and confirmed reservations by when they are looked at again
-- KEYS[5] event channel; a sharded one if its name has a hash tag
-- KEYS[6] record of the call's idempotency key; the items again if it has none
-- ARGV[1] how long an ended reservation is remembered, ms
-- ARGV[2] SKU
-- ARGV[3] how much more (or less) is on hand
-- ARGV[4] expected versions, as expected.lua has them
-- ARGV[5] digest of the body, '' without an idempotency key
-- ARGV[6] for how long the record of the key is kept, ms
-- Returns {'behind'} as reserve.lua does, else {'done ITEM'}; {'before ITEM'} as a call with the same key and body was answered,
--         {'reused'} if that had another body; {'unknown'}, {'version VERSION'} if another one is there, {'below RESERVED'}
--         if something is taken off and more would be held and confirmed than is on hand, {'beyond'} if a number could not say how much is on hand.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, 50) then return close_books(books, { 'behind' }) end

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
  -- One that is oversold may become less so.
  if delta < 0 and item.quantity + delta < item.held + item.confirmed then
    return string.format('below %d', item.held + item.confirmed)
  end
  item.quantity, item.version, item.updated = item.quantity + delta, item.version + 1, books.now
  books.changed_items[sku] = true
  tell_stock(books, 'stock', sku, item)
  if digest ~= '' then call('SET', once, digest .. ' ' .. item_text(item), 'PX', ARGV[6]) end
  return 'done ' .. item_text(item)
end

return close_books(books, { adjust(ARGV[2], tonumber(ARGV[3]), ARGV[4]) })
