-- Shared by what ends jobs without their being done: they are dead or cancelled, and the oldest of these are forgotten.

-- Frees the unique key, if it has one, of a job that is dead or cancelled, for however long it was to be kept.
local function give_key_up(r, id)
  if r.unique == '' or match(call('HGET', UNIQUE, r.unique) or '', '^%d+ (.+)$') ~= id then return end
  call('HDEL', UNIQUE, r.unique)
  call('ZREM', UNIQUE_ENDS, r.unique)
end

local function has_lost_key(r)
  return byte(r.flags) % 16 >= 8
end

-- Forgets the oldest of those that have ended, as far as they are too many or too old, with all that there is of them.
local function forget(ended, most, bite)
  local over = math.max(call('ZCOUNT', ended, '-inf', now), call('ZCARD', ended) - most)
  if over <= 0 then return 0 end
  over = math.min(over, bite)
  local ids = call('ZRANGE', ended, 0, over - 1)
  call('ZREMRANGEBYRANK', ended, 0, over - 1)
  many('HDEL', SPECS, ids)
  many('HDEL', RUNS, ids)
  return #ids
end

local function die(r, id)
  r.state, r.since = 'x', now_text
  call('HSET', RUNS, id, written(r))
  call('ZADD', DEAD, stamp(now + dead_ms), id)
  give_key_up(r, id)
  count('died', 1)
  note('dead', id)
end

local function end_cancelled(r, id)
  r.state, r.since = 'c', now_text
  call('HSET', RUNS, id, written(r))
  -- Its worker is to be told of it, so it is remembered for an hour at least.
  call('ZADD', CANCELLED, now + math.max(r.keep * 1000, 3600000), id)
  give_key_up(r, id)
  count('cancelled', 1)
  note('cancelled', id)
end
