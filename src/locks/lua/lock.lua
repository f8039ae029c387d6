-- Shared by the scripts of the slice: Redis's clock, what a lock is, whose turn it is.
-- A lock is a hash. Its holder: token, owner, ttl_ms, until_ms, attempt, longest_ms (the longest time that it was granted or renewed
-- for). To whom it is offered: offer, offer_ms. The fence that was given last: fence. The token that was released last: last.

-- Microseconds; below 2^53 until the year 2255, and so printed whole by Redis (as %.17g).
local function clock_us()
  local now = redis.call('TIME')
  return now[1] * 1000000 + now[2]
end

-- The millisecond to compare an end with, and the one that a time to come is counted from: rounded up, or a lease would end
-- before its time was over, and what is left of one would be told too long.
local function milliseconds(now_us)
  return math.floor(now_us / 1000), math.ceil(now_us / 1000)
end

-- The longest time for which a lock can be granted, ms; as TTL_MS in the model. For locks that an earlier release granted, without
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

-- The score of a place behind all others. Behind those as well that came before the clock was set back, as long as that was by less
-- than one may wait: beyond it a place would outlast its wait for too long.
local function last_place(queue, now_us, longest_ms)
  local last = redis.call('ZRANGE', queue, -1, -1, 'WITHSCORES')[2]
  return math.max(now_us, math.min((tonumber(last) or 0) + 1, now_us + longest_ms * 1000))
end

-- Puts the attempts of an instance that does not answer behind all others, as far as they are among the first hundred: else
-- each of them would cost the others the time of an offer. They stay in the queue, because only the first of them asks by
-- itself when the instance goes on.
local function put_behind(queue, instance, now_us, longest_ms)
  local behind, place = {}, last_place(queue, now_us, longest_ms)
  for _, attempt in ipairs(redis.call('ZRANGE', queue, 0, 99)) do
    if instance_of(attempt) == instance then
      behind[#behind + 1] = place + #behind
      behind[#behind + 1] = attempt
    end
  end
  if #behind == 0 then return end
  redis.call('ZADD', queue, unpack(behind))
  redis.call('PEXPIRE', queue, longest_ms)
end

-- Offers a free lock to the first in the queue whose instance listens, and tells every other instance among the first
-- thousand, so that each looks again soon: whoever has it next may go without a word long before the end they knew of. Who
-- cannot be reached keeps its place. `me`, if given, is reached by being here. Returns true if nobody was before it, and the
-- lock is not offered then.
local function hand_over(lock, queue, channel, claim_ms, longest_ms, now_us, me)
  if redis.call('EXISTS', queue) == 0 then return true end
  redis.call('ZREMRANGEBYSCORE', queue, '-inf', now_us - longest_ms * 1000)
  local listens, first = {}, nil
  for from = 0, 9900, 100 do
    if first and from >= 1000 then break end
    local piece = redis.call('ZRANGE', queue, from, from + 99)
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
    if #piece < 100 then break end
  end
  return first == nil or first == me
end

