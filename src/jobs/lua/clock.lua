-- Shared by what sweeps a queue: corrects times after Redis's clock was set back. META has `clock`, the latest time that a sweep has
-- seen, and while a correction is in progress `mend`, its cursor in RUNS.

-- A clock that is behind by less than BEHIND_MS is ignored. The time is written at most every WRITE_EVERY_MS.
local BEHIND_MS, WRITE_EVERY_MS = 1000, 5000
-- The number of records in one piece, and of unique keys that are checked.
local MENDED, MOST_KEYS = 100, 1000

-- A lease that was granted ahead of the clock was granted before the clock was set back: it lasts from now on for its full duration.
local function mend_lease(id, run)
  local LEASED_AT, LEASED_END, WHERE, TIME_DIGITS = 19, 31, 44, 13
  local leased = sub(run, LEASED_AT, LEASED_END)
  local ahead = tonumber(leased) - now
  if ahead <= 0 then return end
  local ends = call('ZSCORE', LEASED, id)
  if ends then call('ZADD', LEASED, 'XX', stamp(math.max(ends - ahead, now)), id) end
  local where = sub(run, WHERE)
  if sub(where, 1, TIME_DIGITS) == leased then where = now_text .. sub(where, TIME_DIGITS + 1) end
  call('HSET', RUNS, id, sub(run, 1, LEASED_AT - 1) .. now_text .. sub(run, LEASED_END + 1, WHERE - 1) .. where)
end

-- A delay that was set ahead of the clock (at the earliest when the job was made or last leased) lasts from now on for its full
-- duration. It is counted from the original due time, so that a second run changes nothing.
local function mend_delay(id, run)
  local LEASED_AT, LEASED_END, SINCE, SINCE_END, BRIEF = 19, 31, 44, 56, 24
  local due, spec = tonumber(sub(run, SINCE, SINCE_END)), call('HGET', SPECS, id)
  local created = tonumber(spec and match(spec, '^%d+ %d+ (%d+) ', BRIEF) or 0)
  local since = math.max(tonumber(sub(run, LEASED_AT, LEASED_END)), created)
  local score = tonumber(call('ZSCORE', DELAYED, id) or 0)
  local sooner = math.max(due - (since - now), now)
  if since <= now or sooner >= score then return end
  call('ZADD', DELAYED, 'XX', stamp(sooner), id)
  woken = true
end

-- Corrects unique keys that are kept for a time, those that end first. Keys beyond MOST_KEYS are kept for longer than requested.
local function mend_keys(ahead)
  local keys = call('ZRANGEBYSCORE', UNIQUE_ENDS, '(' .. now_text, '+inf', 'LIMIT', 0, MOST_KEYS)
  for _, key in ipairs(keys) do
    local ends, holder = match(call('HGET', UNIQUE, key) or '', '^(%d+) (.+)$')
    if holder and ends ~= '0' then
      ends = format('%d', math.max(ends - ahead, now))
      call('HSET', UNIQUE, key, ends .. ' ' .. holder)
      call('ZADD', UNIQUE_ENDS, ends, key)
    end
  end
end

-- Returns whether there is more to correct.
local function mend_times()
  if types == 0 then return false end
  local state = call('HMGET', META, 'clock', 'mend')
  local seen, cursor = tonumber(state[1] or 0), state[2]
  if seen > now + BEHIND_MS then
    cursor = '0'
    mend_keys(seen - now)
  end
  if not cursor then
    -- Redis refuses this when its memory is full. That must not keep the sweep from its work.
    if now - seen >= WRITE_EVERY_MS then redis.pcall('HSET', META, 'clock', now_text) end
    return false
  end
  local piece = call('HSCAN', RUNS, cursor, 'COUNT', MENDED)
  for i = 1, #piece[2], 2 do
    local id, run = piece[2][i], piece[2][i + 1]
    local state_of = sub(run, 1, 1)
    if state_of == 'l' then
      mend_lease(id, run)
    elseif state_of == 'w' then
      mend_delay(id, run)
    end
  end
  call('HSET', META, 'clock', now_text)
  if piece[1] == '0' then
    call('HDEL', META, 'mend')
    return false
  end
  call('HSET', META, 'mend', piece[1])
  return true
end
