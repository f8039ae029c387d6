-- acquire: grants the lock if it is free and it is this attempt's turn. Otherwise queues the attempt if it waits.
-- KEYS[1]  lock
-- KEYS[2]  queue
-- ARGV[1]  token; a repeated call with the token of the grant gets the same grant
-- ARGV[2]  owner, '' for none
-- ARGV[3]  duration of the lease, ms
-- ARGV[4]  attempt, INSTANCE-NUMBER
-- ARGV[5]  '1' to wait if it is not free, else '0'
-- ARGV[6]  maximum number of waiting attempts
-- ARGV[7]  maximum wait, ms
-- ARGV[8]  wake channel, without the instance
-- ARGV[9]  duration of an offer, ms
-- ARGV[10] how long the last fence is kept, ms
-- Returns {outcome, owner, fence, until, now}, both times in Unix ms, now rounded up. The outcome is one of:
--   'granted'
--   'taken'  it is not free, and the attempt does not wait
--   'waiting'  it is not free, and the attempt is in the queue
--   'full'  it is not free, and too many wait
--   'reused'  the token holds the lock for another owner or duration, or was released last
-- 'taken', 'waiting' and 'full' have the holder, or fence 0 if the lock is offered to an attempt until then.
-- Repeatable: the same attempt with the same token gets the same grant or the same place.
local now_us = clock_us()
local now, from = milliseconds(now_us)
local token, owner, ttl_ms, until_ms, attempt, offer, offer_ms, fence, last = read(KEYS[1], now)
local me = ARGV[4]

-- A call that was sent before the release and arrives after it: its caller would not release a new grant.
if last == ARGV[1] then return { 'reused', '', 0, 0, from } end

if until_ms > now then
  if token == ARGV[1] then
    if owner ~= ARGV[2] or ttl_ms ~= ARGV[3] then return { 'reused', owner, fence, until_ms, from } end
    if attempt ~= me then
      -- Two attempts have the same grant now, so neither of them may release it when it is abandoned.
      redis.call('HSET', KEYS[1], 'attempt', '')
      redis.call('ZREM', KEYS[2], me)
    end
    return { 'granted', owner, fence, until_ms, from }
  end
elseif offer and offer ~= me and offer_ms > now and offer_ms <= now + tonumber(ARGV[9]) then
  owner, fence, until_ms = '', 0, offer_ms
else
  local mine = offer == me
  if not mine then
    if offer then
      -- The offer was not accepted in time. The attempt loses its place, so that it does not delay the others again.
      redis.call('ZREM', KEYS[2], offer)
      redis.call('HDEL', KEYS[1], 'offer', 'offer_ms')
      put_behind(KEYS[2], instance_of(offer), now_us, tonumber(ARGV[7]))
    end
    mine = hand_over(KEYS[1], KEYS[2], ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[7]), now_us, me)
  end
  if mine then
    fence, until_ms = math.max(fence + 1, now_us), from + tonumber(ARGV[3])
    redis.call('HSET', KEYS[1], 'token', ARGV[1], 'owner', ARGV[2], 'ttl_ms', ARGV[3], 'until_ms', until_ms,
      'attempt', me, 'fence', fence, 'longest_ms', ARGV[3])
    redis.call('PEXPIRE', KEYS[1], ARGV[10])
    if offer then redis.call('HDEL', KEYS[1], 'offer', 'offer_ms') end
    if ARGV[5] == '1' then redis.call('ZREM', KEYS[2], me) end
    return { 'granted', ARGV[2], fence, until_ms, from }
  end
  -- If Redis lost the lock and kept the queue, the offer has created the hash, which must expire as well.
  redis.call('PEXPIRE', KEYS[1], ARGV[10])
  owner, fence, until_ms = '', 0, from + tonumber(ARGV[9])
end

if ARGV[5] == '0' then return { 'taken', owner, fence, until_ms, from } end
if not redis.call('ZSCORE', KEYS[2], me) then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now_us - tonumber(ARGV[7]) * 1000)
  if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[6]) then return { 'full', owner, fence, until_ms, from } end
  redis.call('ZADD', KEYS[2], last_place(KEYS[2], now_us, tonumber(ARGV[7])), me)
  redis.call('PEXPIRE', KEYS[2], ARGV[7])
end
return { 'waiting', owner, fence, until_ms, from }
