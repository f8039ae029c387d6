-- Shared by scripts that end jobs as dead or cancelled.

-- Frees the unique key of a job that is dead or cancelled, even if it was to be kept for a time.
local function give_key_up(r, id)
  if r.unique == '' or match(call('HGET', UNIQUE, r.unique) or '', '^%d+ (.+)$') ~= id then return end
  call('HDEL', UNIQUE, r.unique)
  call('ZREM', UNIQUE_ENDS, r.unique)
end

local function has_lost_key(r)
  local LOST_KEY = 8
  return byte(r.flags) % (2 * LOST_KEY) >= LOST_KEY
end

local function die(r, id)
  r.state, r.since = 'x', now_text
  write_run(id, r)
  call('ZADD', DEAD, stamp(now + dead_ms), id)
  give_key_up(r, id)
  count('died', 1)
  note('dead', id)
end

local function end_cancelled(r, id)
  r.state, r.since = 'c', now_text
  write_run(id, r)
  local HOUR_MS = 3600000
  -- Kept for at least an hour, so that a late call of its worker gets its state.
  call('ZADD', CANCELLED, now + math.max(r.keep * 1000, HOUR_MS), id)
  give_key_up(r, id)
  count('cancelled', 1)
  note('cancelled', id)
end
