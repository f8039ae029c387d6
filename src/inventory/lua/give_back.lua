-- give_back: gives a part of a hold back, or all or a part of what is confirmed.
-- KEYS[1]   items of the partition
-- KEYS[2]   reservations
-- KEYS[3]   holds by their end
-- KEYS[4]   ended and confirmed reservations by when they are looked at again
-- KEYS[5]   event channel; a sharded one if its name has a hash tag
-- KEYS[6]   reservations with parts elsewhere, by when those are looked after
-- KEYS[7]   record of the call's idempotency key; the items again if it has none
-- ARGV[1]   how long an ended reservation is remembered, ms
-- ARGV[2]   id
-- ARGV[3]   'h' of what is held, 'c' of what is confirmed; 'p' all that a part has, whatever its state; 'f' to let a part follow its
--           reservation, which has given some back
-- ARGV[4]   digest of the body, '' without an idempotency key
-- ARGV[5]   for how long the record of the key is kept, ms
-- ARGV[6..] SKU and quantity of each of the goods to give back; '*' for the only one; none for all of them. With 'f' the quantity is how
--           much is left, so that it may be said twice, and goods of other parts are passed over
-- Returns {'behind'} as reserve.lua does, else {'done RECORD'}, also if all of it was given back already; {'before RECORD'} as a call
--         with the same key and body was answered, {'reused'} if that had another body; {'wrong RECORD'} in another state, {'unknown'};
--         {'several'} if '*' stands for none;
--         {'beyond SKU QUANTITY'} if it has no more of it; {'left'} if that has left, or its item is gone.
local books = books_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
if expire_due(books, 50) then return close_books(books, { 'behind' }) end

-- How soon others look after the parts if whoever takes this one back does not.
local DRIVEN_AFTER_MS = 5000
local parted, once, digest = KEYS[6], KEYS[7], ARGV[4]

-- Takes so much of each of the goods off what is reserved. What does not count any more is passed over.
local function take_off(record, quantities)
  if record.parts ~= '*' then return end
  local counts, goods = counting(books, record), goods_of(books, record)
  for i, quantity in pairs(quantities) do
    local item = counts[i] and item_of(books, goods[i][1])
    if item then
      local field = record.state == 'h' and 'held' or 'confirmed'
      item[field] = item[field] - quantity
      books.changed_items[goods[i][1]] = true
    end
  end
end

-- Whether it was decided that goods of a reservation with parts elsewhere leave; see consume.lua.
local function leaves(record, place)
  if record.parts == '*' then return false end
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
  if record.parts ~= '*' then look_after(parted, id, books.now + DRIVEN_AFTER_MS) end
  tell(books, event, id, record)
  return 'done ' .. record_text(record)
end

-- What is asked for: a quantity for each place of it in the terms. Returns nil and why not if that cannot be.
local function wanted(record)
  local goods, counts, quantities = goods_of(books, record), counting(books, record), {}
  for at = 6, #ARGV, 2 do
    local place, left = nil, 0
    for i, good in ipairs(goods) do
      if good[2] > 0 then left = left + 1 end
      if good[1] == ARGV[at] or ARGV[at] == '*' and good[2] > 0 then place = i end
    end
    if ARGV[at] == '*' and left > 1 then return nil, 'several' end
    if not place then return nil, string.format('beyond %s 0', ARGV[at]) end
    local has, quantity = goods[place][2], tonumber(ARGV[at + 1])
    if quantity > has then return nil, string.format('beyond %s %d', goods[place][1], has) end
    -- Of goods elsewhere it was decided here that they leave.
    if record.parts == '*' and not counts[place] or leaves(record, place) then return nil, 'left' end
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
  -- One of which nothing is left says what it had last.
  if rest == 0 then return finish(id, record, final, event) end
  if record.parts ~= '*' and #left > 1 and not find(record.borns, ',', 1, true) then
    record.borns = '0' .. string.rep(',0', #left - 1)
  end
  leave(books, record, left)
  enter(books, id, record, record.state)
  if record.parts ~= '*' then look_after(parted, id, books.now + DRIVEN_AFTER_MS) end
  tell(books, 'reduced', id, record)
  return 'done ' .. record_text(record)
end

local function follow(id, record)
  -- One that has run out takes no more than that when it is taken again.
  if record.state ~= 'h' and record.state ~= 'c' and record.state ~= 'e' then return 'wrong ' .. record_text(record) end
  local left, quantities = all_of(record), {}
  for i, good in ipairs(goods_of(books, record)) do
    for at = 6, #ARGV, 2 do
      if good[1] == ARGV[at] then
        quantities[i] = math.max(left[i] - tonumber(ARGV[at + 1]), 0)
        left[i] = left[i] - quantities[i]
      end
    end
  end
  if record.state ~= 'e' then take_off(record, quantities) end
  leave(books, record, left)
  enter(books, id, record, record.state)
  return 'done ' .. record_text(record)
end

-- Whether anything of a reservation is there still; of one with parts, whether there is anything that was not decided to leave.
local function counts_at_all(record)
  if record.parts ~= '*' then
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
  if not record or record.state == 'o' then return 'unknown' end
  local final, event = 'b', 'returned'
  if state == 'h' then final, event = 'r', 'released' end
  if state == 'p' then
    if record.state == 'r' or record.state == 'b' then return 'done ' .. record_text(record) end
    -- Also one that has run out, so that no confirmation that is on its way takes its stock again.
    if record.state ~= 'e' then take_off(record, all_of(record)) end
    return finish(id, record, final, event)
  end
  if state == 'f' then return follow(id, record) end
  if #ARGV < 6 and record.state == final then return 'done ' .. record_text(record) end
  if record.state ~= state then return 'wrong ' .. record_text(record) end
  if #ARGV > 5 then return give_some(id, record, final, event) end
  if not counts_at_all(record) then return 'left' end
  take_off(record, all_of(record))
  return finish(id, record, final, event)
end

local answer = give_back(ARGV[2], ARGV[3])
local record = match(answer, '^done (.+)$')
-- First, so that a Redis that has no memory left lets stock be given back: see close_books. It is listed anew where it has to be.
if books.changed_records[ARGV[2]] then call('ZREM', books.ended, ARGV[2]) end
if record and digest ~= '' then call('SET', once, digest .. ' ' .. record, 'PX', ARGV[5]) end
return close_books(books, { answer })
