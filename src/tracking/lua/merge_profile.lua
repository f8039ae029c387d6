-- Shared by the scripts that change profiles. A profile is a hash: members by name, each with the time at which it was set in the field
-- 't:' .. name (Unix ms; the time stays when the member is removed), 'floor' (older values are ignored) and 'v' (the number of the
-- batch that changed it last). Attributes are the members whose names begin with 'a:'. A change starts at ARGV[at]: its floor ('0' for
-- none), the number of members to set, their names, times and values, the number of members to remove, their names and times.

local MAX_ATTRIBUTES = 32
-- With more fields than this the times of removed members are dropped.
local MAX_FIELDS = 200
-- A prefix such as 't:' ends at PREFIX_END; the name follows from NAME on.
local PREFIX_END, NAME = 2, 3

local function as_ms(time)
  return string.format('%.0f', time)
end

-- Returns a stored time; 0 for none.
local function known_ms(time, now)
  time = tonumber(time) or 0
  return time > now + MAX_AHEAD_MS and 0 or time
end

local function fields_of(key)
  local all, fields = redis.call('HGETALL', key), {}
  for i = 1, #all, 2 do fields[all[i]] = all[i + 1] end
  return fields
end

-- Returns the newest time in a profile.
local function newest_ms(key, now)
  local newest = 0
  for name, value in pairs(fields_of(key)) do
    if name == 'floor' or string.sub(name, 1, PREFIX_END) == 't:' then newest = math.max(newest, known_ms(value, now)) end
  end
  return newest
end

-- Raises the floor and removes older members. Returns whether a member was removed.
local function raise_floor(key, floor, now)
  local gone = {}
  for name, value in pairs(fields_of(key)) do
    if string.sub(name, 1, PREFIX_END) == 't:' and known_ms(value, now) < floor then
      gone[#gone + 1] = name
      gone[#gone + 1] = string.sub(name, NAME)
    end
  end
  redis.call('HSET', key, 'floor', as_ms(floor))
  return #gone > 0 and redis.call('HDEL', key, unpack(gone)) > 0
end

-- Drops the times of removed members. The newest of them becomes the floor, and the minimum time of the members that stay.
local function give_up_removals(key, now)
  local fields = fields_of(key)
  local gone, floor = {}, known_ms(fields.floor, now)
  for name, value in pairs(fields) do
    if string.sub(name, 1, PREFIX_END) == 't:' and not fields[string.sub(name, NAME)] then
      gone[#gone + 1] = name
      floor = math.max(floor, known_ms(value, now))
    end
  end
  if #gone == 0 then return end
  redis.call('HDEL', key, unpack(gone))
  local times = { 'floor', as_ms(floor) }
  for name, value in pairs(fields) do
    if string.sub(name, 1, PREFIX_END) == 't:' and fields[string.sub(name, NAME)] and known_ms(value, now) < floor then
      times[#times + 1] = name
      times[#times + 1] = as_ms(floor)
    end
  end
  redis.call('HSET', key, unpack(times))
end

-- Returns how many attributes may be added once `removed` are removed.
local function room_for_attributes(key, removed)
  local room = MAX_ATTRIBUTES
  for _, name in ipairs(redis.call('HKEYS', key)) do
    if string.sub(name, 1, PREFIX_END) == 'a:' and not removed[name] then room = room - 1 end
  end
  return room
end

-- Merges a change: for each member the newest time wins; at equal times the later arrival wins. A patch gets the time of now, later
-- than all members that it changes, and is applied completely or not at all. Returns whether a value changed, and whether attributes
-- were left out because the profile would have too many (a patch is not applied then). A key of another type is replaced.
local function merge_profile(key, at, now, ttl_ms, is_patch)
  local given_floor, sets = math.min(tonumber(ARGV[at]), now), tonumber(ARGV[at + 1])
  local removals = at + 2 + 3 * sets
  local fields = { 'floor' }
  for i = at + 2, removals - 3, 3 do
    fields[#fields + 1] = ARGV[i]
    fields[#fields + 1] = 't:' .. ARGV[i]
  end
  for i = removals + 1, removals + 2 * tonumber(ARGV[removals]), 2 do
    fields[#fields + 1] = ARGV[i]
    fields[#fields + 1] = 't:' .. ARGV[i]
  end
  local known = redis.pcall('HMGET', key, unpack(fields))
  if known.err then
    redis.call('DEL', key)
    known = redis.call('HMGET', key, unpack(fields))
  end

  local changed = false
  local floor = known_ms(known[1], now)
  if given_floor > floor then
    changed = raise_floor(key, given_floor, now)
    floor = given_floor
    if changed then known = redis.call('HMGET', key, unpack(fields)) end
  end
  local stamp = nil
  if is_patch then
    stamp = math.max(now, floor + 1)
    for i = 3, #fields, 2 do stamp = math.max(stamp, known_ms(known[i], now) + 1) end
  end
  local function time_of(time) return stamp or math.min(tonumber(time), now) end
  local function counts(time, i) return time >= math.max(floor, known_ms(known[i], now)) end

  local gone, gone_names, times, removes = {}, {}, {}, false
  local i = 2 + 2 * sets
  for arg = removals + 1, removals + 2 * tonumber(ARGV[removals]), 2 do
    local name, time = ARGV[arg], time_of(ARGV[arg + 1])
    if counts(time, i + 1) then
      if known[i] then
        gone[#gone + 1] = name
        gone_names[name] = true
      end
      removes = true
      times[#times + 1] = 't:' .. name
      times[#times + 1] = as_ms(time)
    end
    i = i + 2
  end
  local room, left_out = nil, false
  i = 2
  for arg = at + 2, removals - 3, 3 do
    local name, time, value = ARGV[arg], time_of(ARGV[arg + 1]), ARGV[arg + 2]
    if counts(time, i + 1) then
      local fits = true
      if not known[i] and string.sub(name, 1, PREFIX_END) == 'a:' then
        room = (room or room_for_attributes(key, gone_names)) - 1
        fits = room >= 0
      end
      if fits then
        changed = changed or known[i] ~= value
        times[#times + 1] = name
        times[#times + 1] = value
        times[#times + 1] = 't:' .. name
        times[#times + 1] = as_ms(time)
      else
        left_out = true
      end
    end
    i = i + 2
  end
  if is_patch and left_out then return false, true end
  if #gone > 0 then
    changed = true
    redis.call('HDEL', key, unpack(gone))
  end
  if #times > 0 then
    redis.call('HSET', key, unpack(times))
    if removes and redis.call('HLEN', key) > MAX_FIELDS then give_up_removals(key, now) end
  end
  if changed or #times > 0 or given_floor > 0 then redis.call('PEXPIRE', key, ttl_ms) end
  return changed, left_out
end
