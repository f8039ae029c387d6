-- give_back: releases a portion of a hold, or returns all or a portion of a confirmed reservation.
-- KEYS[1]   items of the partition
-- KEYS[2]   reservations
-- KEYS[3]   holds by the time at which they expire
-- KEYS[4]   ended and confirmed reservations by the time at which a sweep checks them
-- KEYS[5]   event channel; a sharded channel if its name has a hash tag
-- KEYS[6]   reservations with parts in other partitions, by the time at which a sweep checks the parts
-- KEYS[7]   record of the call's idempotency key; KEYS[1] if it has none
-- ARGV[1]   retention of an ended reservation, ms
-- ARGV[2]   id
-- ARGV[3]   'h' for what is held;
--           'c' for what is confirmed;
--           'p' for all that a part has, whatever its state;
--           'f' to let a part follow its reservation, of which a portion was given back
-- ARGV[4]   digest of the body, '' without an idempotency key
-- ARGV[5]   retention of the record of the key, ms
-- ARGV[6..] SKU and quantity of each of the goods to give back; '*' as the SKU for the only item; nothing for all goods.
--           With 'f' the quantity is what is left, so that the call can be repeated, and goods of other parts are ignored
-- Returns {'behind'} as reserve.lua does;
--         {'done RECORD'} if it is given back, now or before;
--         {'before RECORD'} with the answer of an earlier call that had the same key and body;
--         {'reused'} if the earlier call with this key had another body;
--         {'wrong RECORD'} in another state;
--         {'unknown'} if there is none;
--         {'several'} if the SKU is '*' and there are several items;
--         {'beyond SKU QUANTITY'} if it has only that quantity of the item;
--         {'left'} if the goods were consumed, or their item was deleted.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, MOST_EXPIRED) then return close_books(books, { 'behind' }) end

local ALL_OF_PART, FOLLOW = 'p', 'f'
local ONLY_ITEM = '*'
-- The first of the goods in ARGV; two arguments each.
local FIRST_GOOD, ARGS_PER_GOOD = 6, 2
local parted, once, digest = KEYS[6], KEYS[7], ARGV[4]

-- Subtracts quantities of the goods from what is held or confirmed of their items. Goods that no longer count are ignored.
local function take_off(record, quantities)
  if record.parts ~= NO_PARTS then return end
  local counts, goods = counting(books, record), goods_of(books, record)
  for i, quantity in pairs(quantities) do
    local item = counts[i] and item_of(books, goods[i][1])
    if item then
      local field = record.state == HELD and 'held' or 'confirmed'
      item[field] = item[field] - quantity
      books.changed_items[goods[i][1]] = true
    end
  end
end

-- Returns whether the removal of goods of a reservation with parts in other partitions is decided; see consume.lua.
local function leaves(record, place)
  if record.parts == NO_PARTS then return false end
  local at, decided = 0, '0'
  for entry in string.gmatch(record.borns, '[^,]+') do
    at = at + 1
    if at == place then decided = match(entry, '^%d+') end
  end
  return decided ~= '0'
end

local function all_of(record)
  local quantities = {}
  for i, good in ipairs(goods_of(books, record)) do quantities[i] = good[2] end
  return quantities
end

local function finish(id, record, state, event)
  record.ended = books.now
  enter(books, id, record, state)
  if record.parts ~= NO_PARTS then schedule_check(parted, id, books.now + FOLLOW_UP_MS) end
  publish(books, event, id, record)
  return 'done ' .. record_text(record)
end

-- Returns the requested quantities by their place in the terms; nil and the answer if they cannot be given back.
local function wanted(record)
  local goods, counts, quantities = goods_of(books, record), counting(books, record), {}
  for at = FIRST_GOOD, #ARGV, ARGS_PER_GOOD do
    local place, left = nil, 0
    for i, good in ipairs(goods) do
      if good[2] > 0 then left = left + 1 end
      if good[1] == ARGV[at] or ARGV[at] == ONLY_ITEM and good[2] > 0 then place = i end
    end
    if ARGV[at] == ONLY_ITEM and left > 1 then return nil, 'several' end
    if not place then return nil, string.format('beyond %s 0', ARGV[at]) end
    local has, quantity = goods[place][2], tonumber(ARGV[at + 1])
    if quantity > has then return nil, string.format('beyond %s %d', goods[place][1], has) end
    -- For goods in other partitions the decision is recorded here.
    if record.parts == NO_PARTS and not counts[place] or leaves(record, place) then return nil, 'left' end
    quantities[place] = quantity
  end
  return quantities
end

local function give_some(id, record, final, event)
  local quantities, refusal = wanted(record)
  if not quantities then return refusal end
  local left, rest = all_of(record), 0
  for i, quantity in pairs(quantities) do left[i] = left[i] - quantity end
  for _, quantity in ipairs(left) do rest = rest + quantity end
  take_off(record, quantities)
  -- A reservation of which nothing is left keeps its last quantities.
  if rest == 0 then return finish(id, record, final, event) end
  if record.parts ~= NO_PARTS and #left > 1 and not find(record.borns, ',', 1, true) then
    record.borns = '0' .. string.rep(',0', #left - 1)
  end
  write_left(books, record, left)
  enter(books, id, record, record.state)
  if record.parts ~= NO_PARTS then schedule_check(parted, id, books.now + FOLLOW_UP_MS) end
  publish(books, 'reduced', id, record)
  return 'done ' .. record_text(record)
end

local function follow(id, record)
  -- An expired part takes no more than what is left when it takes its stock again.
  if record.state ~= HELD and record.state ~= CONFIRMED and record.state ~= EXPIRED then return 'wrong ' .. record_text(record) end
  local left, quantities = all_of(record), {}
  for i, good in ipairs(goods_of(books, record)) do
    for at = FIRST_GOOD, #ARGV, ARGS_PER_GOOD do
      if good[1] == ARGV[at] then
        quantities[i] = math.max(left[i] - tonumber(ARGV[at + 1]), 0)
        left[i] = left[i] - quantities[i]
      end
    end
  end
  if record.state ~= EXPIRED then take_off(record, quantities) end
  write_left(books, record, left)
  enter(books, id, record, record.state)
  return 'done ' .. record_text(record)
end

-- Returns whether any of the goods still counts; with parts in other partitions, whether the removal of any is undecided.
local function counts_at_all(record)
  if record.parts ~= NO_PARTS then
    for place, good in ipairs(goods_of(books, record)) do
      if good[2] > 0 and not leaves(record, place) then return true end
    end
    return false
  end
  for _, does in ipairs(counting(books, record)) do
    if does then return true end
  end
  return false
end

local function give_back(id, state)
  if digest ~= '' then
    local was, answer = match(call('GET', once) or '', '^(%x+) (.+)$')
    if was then return was == digest and 'before ' .. answer or 'reused' end
  end
  local record = record_of(books, id)
  if not record or record.state == OPENING then return 'unknown' end
  local final, event = RETURNED, 'returned'
  if state == HELD then final, event = RELEASED, 'released' end
  if state == ALL_OF_PART then
    if record.state == RELEASED or record.state == RETURNED then return 'done ' .. record_text(record) end
    -- An expired part ends as well, so that no confirmation in progress takes its stock again.
    if record.state ~= EXPIRED then take_off(record, all_of(record)) end
    return finish(id, record, final, event)
  end
  if state == FOLLOW then return follow(id, record) end
  if #ARGV < FIRST_GOOD and record.state == final then return 'done ' .. record_text(record) end
  if record.state ~= state then return 'wrong ' .. record_text(record) end
  if #ARGV >= FIRST_GOOD then return give_some(id, record, final, event) end
  if not counts_at_all(record) then return 'left' end
  take_off(record, all_of(record))
  return finish(id, record, final, event)
end

local answer = give_back(ARGV[2], ARGV[3])
local record = match(answer, '^done (.+)$')
-- Removed first, so that a Redis whose memory is full accepts the call: see close_books. It is listed again if it has to be.
if books.changed_records[ARGV[2]] then call('ZREM', books.ended, ARGV[2]) end
if record and digest ~= '' then call('SET', once, digest .. ' ' .. record, 'PX', ARGV[5]) end
return close_books(books, { answer })
