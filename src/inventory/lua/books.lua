-- Shared by the scripts of the inventory: the books of one partition. A script reads what it needs, changes it in memory and writes it
-- once by close_books, so that many calls about one item cost one read and one write of it.
--
-- An item is "QUANTITY HELD CONFIRMED VERSION UPDATED BORN GROUP". BORN is the first version of the item, GROUP is * for no group,
-- times are Unix ms.
-- A reservation is "STATE CREATED EXPIRES ENDED PARTS BORNS TERMS":
--   STATE  o opening, h held, c confirmed, r released, e expired, b returned
--   PARTS  * if its goods are in this partition; else "NONCE:PARTITION,PARTITION…", and its goods are not counted here
--   BORNS  for each of its goods, separated by commas, the BORN of the item that it was taken from: an item that was deleted and
--          created again does not count it; 0 once it was consumed. For goods in other partitions see consume.lua. "*QUANTITY"
--          after it is what is left of the quantity in the terms
--   TERMS  "TTL_MS OWNER SKU QUANTITY [SKU QUANTITY …]" as requested; the owner is percent-encoded, * for no owner
-- Words have no spaces. Numbers are whole and below 2^53, up to which %d prints them exactly.
local OPENING, HELD, CONFIRMED, RELEASED, EXPIRED, RETURNED = 'o', 'h', 'c', 'r', 'e', 'b'
local NO_PARTS, NO_OWNER = '*', '*'
-- The largest quantity: 2^53 - 1.
local MOST = 9007199254740991
-- Arguments of one command; unpack takes a bounded number of values.
local PIECE = 800
-- Holds that a script expires before its own work. If more are due, it answers 'behind'.
local MOST_EXPIRED = 50
-- The time within which a reservation with parts in other partitions has to be created.
local OPENING_MS = 5000
-- The time after which a sweep completes a decision if the instance that made it does not.
local FOLLOW_UP_MS = 5000
-- Local names, so that calls need no lookup.
local call, format, match, find = redis.call, string.format, string.match, string.find

local function books_of(items, reservations, due, ended, channel, keep_ms)
  local time = call('TIME')
  return {
    items = items, reservations = reservations, due = due, ended = ended, channel = channel,
    now = time[1] * 1000 + math.floor(time[2] / 1000), now_us = time[1] * 1000000 + time[2], keep_ms = tonumber(keep_ms),
    verb = find(channel, '{', 1, true) and 'SPUBLISH' or 'PUBLISH',
    messages = {}, item = {}, changed_items = {}, record = {}, changed_records = {}, due_at = {}, ended_at = {}, terms = {},
  }
end

-- Returns the item, or false.
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

-- Returns what can be reserved; 0 if the item is oversold.
local function available(item)
  return math.max(item.quantity - item.held - item.confirmed, 0)
end

local function item_text(item)
  return format('%d %d %d %d %d %d %s', item.quantity, item.held, item.confirmed, item.version,
    item.updated, item.born, item.group)
end

-- The text is cached until the record changes, because it is both returned and written.
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

-- Returns the reservation, or false.
local function record_of(books, id)
  local record = books.record[id]
  if record == nil then
    local text = call('HGET', books.reservations, id)
    record = text and read_record(text)
    books.record[id] = record
  end
  return record
end

-- Reads the reservations of a batch by one command. Each call of the batch has `step` arguments from ARGV[FIRST_CALL] on, the first of
-- which is the id.
local FIRST_CALL = 2
local function fetch_records(books, step)
  local ids = {}
  for at = FIRST_CALL, #ARGV, step do
    if books.record[ARGV[at]] == nil then ids[#ids + 1] = ARGV[at] end
  end
  if #ids == 0 then return end
  local texts = call('HMGET', books.reservations, unpack(ids))
  for i = 1, #ids do
    books.record[ids[i]] = texts[i] and read_record(texts[i])
  end
end

-- Converts a percent-encoded name to the content of a JSON string. Names have no control characters.
local function json_name(encoded)
  local name = string.gsub(encoded, '%%(%x%x)', function(code) return string.char(tonumber(code, 16)) end)
  return (string.gsub(name, '[\\"]', '\\%0'))
end

-- Parses terms: the TTL, the goods as a list of {sku, quantity}, and the owner and the goods as JSON. The result is cached, because
-- the calls of a batch often have the same terms.
local function terms_of(books, text)
  local terms = books.terms[text]
  if not terms then
    local ttl_ms, owner, rest = match(text, '^(%d+) (%S+) (.+)$')
    local goods, json = {}, {}
    for sku, digits in string.gmatch(rest, '(%S+) (%d+)') do
      goods[#goods + 1] = { sku, tonumber(digits) }
      json[#json + 1] = '{"sku":"' .. sku .. '","quantity":' .. digits .. '}'
    end
    owner = owner ~= NO_OWNER and ',"owner":"' .. json_name(owner) .. '"' or ''
    json = owner .. ',"items":[' .. table.concat(json, ',') .. ']'
    terms = { ttl_ms = tonumber(ttl_ms), goods = goods, owner = owner, json = json }
    books.terms[text] = terms
  end
  return terms
end

-- Returns {sku, quantity} for each of the goods in the terms of a reservation, with the quantity that is left.
local function goods_of(books, record)
  local goods = terms_of(books, record.terms).goods
  if not record.borns or not find(record.borns, '*', 1, true) then return goods end
  local left, i = {}, 0
  for entry in string.gmatch(record.borns, '[^,]+') do
    i = i + 1
    left[i] = { goods[i][1], tonumber(match(entry, '%*(%d+)$') or goods[i][2]) }
  end
  return left
end

-- Notes in the record what is left of each of its goods.
local function write_left(books, record, left)
  local requested, entries = terms_of(books, record.terms).goods, {}
  for entry in string.gmatch(record.borns, '[^,]+') do
    local i = #entries + 1
    entries[i] = match(entry, '^%d+') .. (left[i] == requested[i][2] and '' or format('*%d', left[i]))
  end
  record.borns, record.text = table.concat(entries, ','), nil
end

-- Returns the owner and the goods of a reservation, as members of a JSON object.
local function terms_json(books, record)
  local terms = terms_of(books, record.terms)
  if not find(record.borns, '*', 1, true) then return terms.json end
  local items = {}
  for _, good in ipairs(goods_of(books, record)) do
    if good[2] > 0 then items[#items + 1] = format('{"sku":"%s","quantity":%d}', good[1], good[2]) end
  end
  return terms.owner .. ',"items":[' .. table.concat(items, ',') .. ']'
end

-- Publishes a transition once it is written. A part, which has a slash in its name, publishes nothing: its reservation does.
local function publish(books, event, id, record)
  if find(id, '/', 1, true) then return end
  books.messages[#books.messages + 1] = format('{"event":"%s","reservation":"%s"%s,"expires_ms":%d,"at_ms":%d}',
    event, id, terms_json(books, record), record.expires, books.now)
end

local function publish_stock(books, event, sku, item)
  books.messages[#books.messages + 1] = format(
    '{"event":"%s","sku":"%s","quantity":%d,"reserved":%d,"version":%d,"at_ms":%d}',
    event, sku, item.quantity, item.held + item.confirmed, item.version, books.now)
end

-- Adds the goods of a reservation, multiplied by 1, 0 or -1, to the held and confirmed quantities of their items.
local function count(books, record, held, confirmed)
  if record.parts ~= NO_PARTS then return end
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

-- Notes in the record from which items it takes its goods, and what is left of them.
local function stamp(books, record)
  -- The items of the parts are in other partitions. What is left of the goods is noted here as well.
  if record.parts ~= NO_PARTS then
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
    write_left(books, record, left)
  end
end

-- Returns for each of the goods of a confirmed reservation whether it still counts in the stock.
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

-- Returns the answer that refuses to take the goods of a reservation; nil if all are available.
local function obstacle(books, record)
  if record.parts ~= NO_PARTS then return nil end
  local goods = goods_of(books, record)
  for i = 1, #goods do
    local good = goods[i]
    local item = item_of(books, good[1])
    if not item and good[2] > 0 then return 'absent ' .. good[1] end
    -- Goods that are listed twice need the sum.
    local needed = good[2]
    for j = 1, i - 1 do
      if goods[j][1] == good[1] then needed = needed + goods[j][2] end
    end
    if item and available(item) < needed then return format('short %s %d', good[1], available(item)) end
  end
  return nil
end

-- Sets the state of a reservation, and lists it by the time at which it expires or a sweep checks it.
local function enter(books, id, record, state)
  local before = record.state
  record.state, record.text = state, nil
  books.record[id] = record
  books.changed_records[id] = true
  if state == HELD then
    books.due_at[id] = record.expires
    if before == EXPIRED then books.ended_at[id] = false end
  else
    if before == HELD then books.due_at[id] = false end
    -- A reservation with parts is deleted after its parts have followed the decision, so KEYS[6] of the scripts lists it. If it has
    -- expired, its parts expire as well.
    local is_followed_up = state ~= EXPIRED and record.parts ~= NO_PARTS
    books.ended_at[id] = not is_followed_up and books.now + books.keep_ms
  end
end

local function forget(books, id)
  books.record[id] = false
  books.changed_records[id] = true
  books.due_at[id], books.ended_at[id] = false, false
end

-- Expires up to `limit` holds that are due. Returns whether more are due.
local function expire_due(books, limit)
  local ids = call('ZRANGE', books.due, '-inf', books.now, 'BYSCORE', 'LIMIT', 0, limit + 1)
  for i = 1, math.min(#ids, limit) do
    local id = ids[i]
    local record = record_of(books, id)
    if record and record.state == HELD then
      count(books, record, -1, 0)
      record.ended = record.expires
      enter(books, id, record, EXPIRED)
      publish(books, 'expired', id, record)
    elseif record and record.state == OPENING then
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

-- Returns the arguments of the command that sets what has changed, and the names of what is deleted.
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

-- Lists a reservation with parts in other partitions by the time at which a sweep checks them. Removed first, as in close_books.
local function schedule_check(parted, id, at)
  call('ZREM', parted, id)
  call('ZADD', parted, at, id)
end

-- Writes what has changed, publishes the events and returns the answers.
-- A Redis whose memory is full refuses commands that may take memory, unless the script has written before. So removals come
-- first: every call that gives stock back removes a hold from its list, and is never refused.
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

