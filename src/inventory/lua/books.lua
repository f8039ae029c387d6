-- Shared by the scripts of the inventory: the books of one partition. They are read as they are needed, changed in memory
-- and written once by close_books, so that many calls about one item cost one read and one write of it.
--
-- An item is "QUANTITY HELD CONFIRMED VERSION UPDATED BORN GROUP"; BORN is the first version, the group is * for none, times are
-- Unix ms.
-- A reservation is "STATE CREATED EXPIRES ENDED PARTS BORNS TERMS":
--   STATE  o opening, h held, c confirmed, r released, e expired, b returned
--   PARTS  * where its goods are in this partition, else what names its parts elsewhere; its goods are not counted here then
--   BORNS  of each of its goods the BORN of the item it was taken from, with commas: what is deleted and made anew owes it
--          nothing; 0 once it has been consumed. Of goods elsewhere, what consume.lua says. With *QUANTITY behind it, so much is left of what the terms say
--   TERMS  "TTL_MS OWNER SKU QUANTITY [SKU QUANTITY …]" as it was asked for; the owner is percent-encoded, * for none
-- Words have no spaces, numbers are whole and below 2^53, up to which %d prints them exactly.
local MOST = 9007199254740991
local PIECE = 800
-- Looked up once, and not at every call.
local call, format, match, find = redis.call, string.format, string.match, string.find

local function books_of(items, reservations, due, ended, channel, keep_ms)
  local time = call('TIME')
  return {
    items = items, reservations = reservations, due = due, ended = ended, channel = channel,
    now = time[1] * 1000 + math.floor(time[2] / 1000), now_us = time[1] * 1000000 + time[2], keep_ms = tonumber(keep_ms),
    verb = find(channel, '{', 1, true) and 'SPUBLISH' or 'PUBLISH',
    messages = {}, item = {}, changed_items = {}, record = {}, changed_records = {}, due_at = {}, ended_at = {}, wish = {},
  }
end

-- The item of that name, or false.
local function item_of(books, sku)
  local item = books.item[sku]
  if item == nil then
    local text = call('HGET', books.items, sku)
    item = false
    if text then
      local quantity, held, confirmed, version, updated, born, group =
        match(text, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+)$')
      item = {
        quantity = tonumber(quantity), held = tonumber(held), confirmed = tonumber(confirmed),
        version = tonumber(version), updated = tonumber(updated), born = tonumber(born), group = group,
      }
    end
    books.item[sku] = item
  end
  return item
end

-- None of an item that is oversold.
local function available(item)
  return math.max(item.quantity - item.held - item.confirmed, 0)
end

local function item_text(item)
  return format('%d %d %d %d %d %d %s', item.quantity, item.held, item.confirmed, item.version,
    item.updated, item.born, item.group)
end

-- Kept until the record changes its state: it is answered with and written.
local function record_text(record)
  if not record.text then
    record.text = format('%s %d %d %d %s %s %s', record.state, record.created, record.expires, record.ended,
      record.parts, record.borns, record.terms)
  end
  return record.text
end

local function read_record(text)
  local state, created, expires, ended, parts, borns, terms =
    match(text, '^(%a) (%d+) (%d+) (%d+) (%S+) (%S+) (.+)$')
  return {
    state = state, created = tonumber(created), expires = tonumber(expires), ended = tonumber(ended),
    parts = parts, borns = borns, terms = terms, text = text,
  }
end

-- The reservation of that id, or false.
local function record_of(books, id)
  local record = books.record[id]
  if record == nil then
    local text = call('HGET', books.reservations, id)
    record = text and read_record(text)
    books.record[id] = record
  end
  return record
end

-- Reads the reservations that a batch is about in one go: their ids are in every `step`th argument from the second on.
local function fetch_records(books, step)
  local ids = {}
  for at = 2, #ARGV, step do
    if books.record[ARGV[at]] == nil then ids[#ids + 1] = ARGV[at] end
  end
  if #ids == 0 then return end
  local texts = call('HMGET', books.reservations, unpack(ids))
  for i = 1, #ids do
    books.record[ids[i]] = texts[i] and read_record(texts[i])
  end
end

-- A percent-encoded name as the inside of a JSON string. Names have no control characters.
local function json_name(encoded)
  local name = string.gsub(encoded, '%%(%x%x)', function(code) return string.char(tonumber(code, 16)) end)
  return (string.gsub(name, '[\\"]', '\\%0'))
end

-- What terms say: their TTL, the goods as a list of {sku, quantity}, and the owner and the goods as JSON. Kept, because the
-- calls of a batch often ask for the same.
local function wish_of(books, terms)
  local wish = books.wish[terms]
  if not wish then
    local ttl_ms, owner, rest = match(terms, '^(%d+) (%S+) (.+)$')
    local goods, json = {}, {}
    for sku, digits in string.gmatch(rest, '(%S+) (%d+)') do
      goods[#goods + 1] = { sku, tonumber(digits) }
      json[#json + 1] = '{"sku":"' .. sku .. '","quantity":' .. digits .. '}'
    end
    owner = owner ~= '*' and ',"owner":"' .. json_name(owner) .. '"' or ''
    json = owner .. ',"items":[' .. table.concat(json, ',') .. ']'
    wish = { ttl_ms = tonumber(ttl_ms), goods = goods, owner = owner, json = json }
    books.wish[terms] = wish
  end
  return wish
end

-- What a reservation is of: {sku, quantity} for each of its terms, with what is left of it.
local function goods_of(books, record)
  local goods = wish_of(books, record.terms).goods
  if not record.borns or not find(record.borns, '*', 1, true) then return goods end
  local left, i = {}, 0
  for entry in string.gmatch(record.borns, '[^,]+') do
    i = i + 1
    left[i] = { goods[i][1], tonumber(match(entry, '%*(%d+)$') or goods[i][2]) }
  end
  return left
end

-- Writes what is left of each of a reservation's goods.
local function leave(books, record, left)
  local wished, entries = wish_of(books, record.terms).goods, {}
  for entry in string.gmatch(record.borns, '[^,]+') do
    local i = #entries + 1
    entries[i] = match(entry, '^%d+') .. (left[i] == wished[i][2] and '' or format('*%d', left[i]))
  end
  record.borns, record.text = table.concat(entries, ','), nil
end

-- The owner and the goods of a reservation, as members of a JSON object.
local function wish_json(books, record)
  local wish = wish_of(books, record.terms)
  if not find(record.borns, '*', 1, true) then return wish.json end
  local items = {}
  for _, good in ipairs(goods_of(books, record)) do
    if good[2] > 0 then items[#items + 1] = format('{"sku":"%s","quantity":%d}', good[1], good[2]) end
  end
  return wish.owner .. ',"items":[' .. table.concat(items, ',') .. ']'
end

-- Tells a transition, once it is written. A part (it has a slash in its name) is silent: what stands for it tells for all.
local function tell(books, event, id, record)
  if find(id, '/', 1, true) then return end
  books.messages[#books.messages + 1] = format('{"event":"%s","reservation":"%s"%s,"expires_ms":%d,"at_ms":%d}',
    event, id, wish_json(books, record), record.expires, books.now)
end

local function tell_stock(books, event, sku, item)
  books.messages[#books.messages + 1] = format(
    '{"event":"%s","sku":"%s","quantity":%d,"reserved":%d,"version":%d,"at_ms":%d}',
    event, sku, item.quantity, item.held + item.confirmed, item.version, books.now)
end

-- Adds to what is held and to what is confirmed of everything that a reservation is of.
local function count(books, record, held, confirmed)
  if record.parts ~= '*' then return end
  local goods = goods_of(books, record)
  for i = 1, #goods do
    local good = goods[i]
    local item = item_of(books, good[1])
    if item then
      item.held = item.held + held * good[2]
      item.confirmed = item.confirmed + confirmed * good[2]
      books.changed_items[good[1]] = true
    end
  end
end

-- Remembers from which items a reservation takes its goods, and what is left of them.
local function stamp(books, record)
  -- The goods of one with parts come from items elsewhere; what is left of them is noted all the same.
  if record.parts ~= '*' then
    record.borns = record.borns or '0'
    return
  end
  local goods, is_reduced = goods_of(books, record), record.borns and find(record.borns, '*', 1, true)
  local borns = ''
  for i = 1, #goods do
    local item = item_of(books, goods[i][1])
    borns = borns .. (i > 1 and ',' or '') .. format('%d', item and item.born or 0)
  end
  record.borns = borns
  if is_reduced then
    local left = {}
    for i = 1, #goods do left[i] = goods[i][2] end
    leave(books, record, left)
  end
end

-- For each of a reservation's goods whether it still counts in the stock, once that is confirmed.
local function counting(books, record)
  local counts, i, goods = {}, 0, goods_of(books, record)
  for entry in string.gmatch(record.borns, '[^,]+') do
    i = i + 1
    local born, good = match(entry, '^%d+'), goods[i]
    local item = good and good[2] > 0 and item_of(books, good[1])
    counts[i] = item and born ~= '0' and tonumber(born) == item.born
  end
  return counts
end

-- What stands in the way of taking everything that a reservation is of; nil if nothing does.
local function obstacle(books, record)
  if record.parts ~= '*' then return nil end
  local goods = goods_of(books, record)
  for i = 1, #goods do
    local good = goods[i]
    local item = item_of(books, good[1])
    if not item and good[2] > 0 then return 'absent ' .. good[1] end
    -- What is asked for more than once has to be there as often.
    local needed = good[2]
    for j = 1, i - 1 do
      if goods[j][1] == good[1] then needed = needed + goods[j][2] end
    end
    if item and available(item) < needed then return format('short %s %d', good[1], available(item)) end
  end
  return nil
end

-- Brings a reservation to a state, and lists it by what its time brings: the end of the hold, or being looked at again.
local function enter(books, id, record, state)
  local before = record.state
  record.state, record.text = state, nil
  books.record[id] = record
  books.changed_records[id] = true
  if state == 'h' then
    books.due_at[id] = record.expires
    if before == 'e' then books.ended_at[id] = false end
  else
    if before == 'h' then books.due_at[id] = false end
    -- One with parts is not deleted at this partition's time, but once the decision has reached its parts: it is looked after
    -- with them. If it has run out, they run out with it.
    local looked_after = state ~= 'e' and record.parts ~= '*'
    books.ended_at[id] = not looked_after and books.now + books.keep_ms
  end
end

local function forget(books, id)
  books.record[id] = false
  books.changed_records[id] = true
  books.due_at[id], books.ended_at[id] = false, false
end

-- Ends up to `limit` holds whose time is over. Returns whether there are more.
local function expire_due(books, limit)
  local ids = call('ZRANGE', books.due, '-inf', books.now, 'BYSCORE', 'LIMIT', 0, limit + 1)
  for i = 1, math.min(#ids, limit) do
    local id = ids[i]
    local record = record_of(books, id)
    if record and record.state == 'h' then
      count(books, record, -1, 0)
      record.ended = record.expires
      enter(books, id, record, 'e')
      tell(books, 'expired', id, record)
    elseif record and record.state == 'o' then
      forget(books, id)
    else
      books.due_at[id] = false
    end
  end
  return #ids > limit
end

local function in_pieces(command, key, list)
  for from = 1, #list, PIECE do
    call(command, key, unpack(list, from, math.min(from + PIECE - 1, #list)))
  end
end

-- What has changed, as the arguments of what sets it, and the names of what is to be deleted.
local function fields_of(changed, values, text)
  local sets, deletions = {}, {}
  for name in pairs(changed) do
    local value = values[name]
    if value then
      sets[#sets + 1] = name
      sets[#sets + 1] = text(value)
    else
      deletions[#deletions + 1] = name
    end
  end
  return sets, deletions
end

local function times_of(times)
  local sets, deletions = {}, {}
  for id, at in pairs(times) do
    if at then
      sets[#sets + 1] = format('%d', at)
      sets[#sets + 1] = id
    else
      deletions[#deletions + 1] = id
    end
  end
  return sets, deletions
end

-- Lists a reservation with parts elsewhere by when those are looked after. Removed first, as in close_books.
local function look_after(parted, id, at)
  call('ZREM', parted, id)
  call('ZADD', parted, at, id)
end

-- Writes everything that has changed, publishes what there is to tell of it and hands the answers on.
-- Redis that has no memory left refuses what may take some, but not where the script has written before. So removals come
-- first: whatever gives stock back leaves the list of holds, and is never refused.
local function close_books(books, answers)
  local items, items_gone = fields_of(books.changed_items, books.item, item_text)
  local records, records_gone = fields_of(books.changed_records, books.record, record_text)
  local due, due_gone = times_of(books.due_at)
  local ended, ended_gone = times_of(books.ended_at)
  in_pieces('ZREM', books.due, due_gone)
  in_pieces('ZREM', books.ended, ended_gone)
  in_pieces('HDEL', books.items, items_gone)
  in_pieces('HDEL', books.reservations, records_gone)
  in_pieces('HSET', books.items, items)
  in_pieces('HSET', books.reservations, records)
  in_pieces('ZADD', books.due, due)
  in_pieces('ZADD', books.ended, ended)
  for i = 1, #books.messages do call(books.verb, books.channel, books.messages[i]) end
  return answers
end

