-- Shared by the scripts of the slice: Redis's clock, the fields of a lock, and the queue.
-- A lock is a hash. Its holder: token, owner, ttl_ms, until_ms, attempt, longest_ms (the longest time that it was granted or renewed
-- for). The attempt that it is offered to: offer, offer_ms. The last fence: fence. The token that was released last: last.

-- Microseconds; below 2^53 until the year 2255, and so printed whole by Redis (as %.17g).
local function clock_us()
  local now = redis.call('TIME')
  return now[1] * 1000000 + now[2]
end

-- The current millisecond, rounded up: otherwise a lease would end early, and its remaining time would be reported as too long.
local function milliseconds(now_us)
  return math.floor(now_us / 1000), math.ceil(now_us / 1000)
end

-- The maximum duration of a lease, ms; as TTL_MS in the model. Used for locks of an earlier release of the service, which have no
-- longest_ms.
local LONGEST_MS = 3600000

-- Returns token, owner, ttl_ms, until_ms, attempt, offer, offer_ms, fence, last, longest_ms; numbers as numbers, 0 for none. An end
-- that is too far ahead for this lease, because the clock was set back since, is limited to the longest time from `now` on.
local function read(lock, now)
  local f = redis.call('HMGET', lock, 'token', 'owner', 'ttl_ms', 'until_ms', 'attempt', 'offer', 'offer_ms', 'fence', 'last',
    'longest_ms')
  local until_ms, longest_ms = tonumber(f[4]) or 0, tonumber(f[10]) or LONGEST_MS
  if until_ms > now + 1 + longest_ms then
    until_ms = now + longest_ms
    redis.call('HSET', lock, 'until_ms', until_ms)
  end
  return f[1], f[2] or '', f[3], until_ms, f[5], f[6], tonumber(f[7]) or 0, tonumber(f[8]) or 0, f[9], longest_ms
end

local function instance_of(attempt)
  return string.match(attempt, '^%x+') or ''
end

local function free(lock)
  redis.call('HDEL', lock, 'token', 'owner', 'ttl_ms', 'until_ms', 'attempt', 'longest_ms')
end

-- Returns the score of a place after all others. That includes places from before the clock was set back, if it was set back by less than
-- the maximum wait; otherwise the place would stay for too long after its wait.
local function last_place(queue, now_us, longest_ms)
  local last = redis.call('ZRANGE', queue, -1, -1, 'WITHSCORES')[2]
  return math.max(now_us, math.min((tonumber(last) or 0) + 1, now_us + longest_ms * 1000))
end

-- Moves the attempts of an instance that does not respond behind all others, if they are among the first hundred. Otherwise each of them
-- would delay the others by the duration of an offer. They stay in the queue, because only the first of them tries again by itself when
-- the instance resumes.
local function put_behind(queue, instance, now_us, longest_ms)
  local PIECE = 100
  local behind, place = {}, last_place(queue, now_us, longest_ms)
  for _, attempt in ipairs(redis.call('ZRANGE', queue, 0, PIECE - 1)) do
    if instance_of(attempt) == instance then
      behind[#behind + 1] = place + #behind
      behind[#behind + 1] = attempt
    end
  end
  if #behind == 0 then return end
  redis.call('ZADD', queue, unpack(behind))
  redis.call('PEXPIRE', queue, longest_ms)
end

-- Offers a free lock to the first attempt in the queue whose instance is subscribed, and notifies every other instance among the first
-- thousand, so that each tries again soon: the next holder may release the lock, or crash, long before the end that they know. An attempt
-- whose instance cannot be reached keeps its place. `me`, if given, is the attempt of the caller. Returns true if no reachable attempt is
-- before it; the lock is not offered then.
local function hand_over(lock, queue, channel, claim_ms, longest_ms, now_us, me)
  if redis.call('EXISTS', queue) == 0 then return true end
  redis.call('ZREMRANGEBYSCORE', queue, '-inf', now_us - longest_ms * 1000)
  local PIECE, MOST, MOST_NOTIFIED = 100, 10000, 1000
  local listens, first = {}, nil
  for from = 0, MOST - PIECE, PIECE do
    if first and from >= MOST_NOTIFIED then break end
    local piece = redis.call('ZRANGE', queue, from, from + PIECE - 1)
    for _, attempt in ipairs(piece) do
      local instance = instance_of(attempt)
      if attempt == me then
        first = first or me
        listens[instance] = true
      elseif listens[instance] == nil then
        listens[instance] = redis.call('PUBLISH', channel .. instance, (first or attempt) .. ' ' .. lock) > 0
        if listens[instance] and not first then
          first = attempt
          redis.call('HSET', lock, 'offer', first, 'offer_ms', math.floor(now_us / 1000) + claim_ms)
        end
      end
    end
    if #piece < PIECE then break end
  end
  return first == nil or first == me
end

