-- ticket: records what is stored under a key before its value is computed, so that a later write or deletion is detected.
-- KEYS[1] entry
-- KEYS[2] lease
-- ARGV[1] a mark without its time, to store if nothing is stored: 16 bytes, the last 8 a nonce
-- ARGV[2] minimum TTL of what is stored, ms
-- ARGV[3] duration of the lease, ms; '0' for none
-- ARGV[4] the lease's token
-- Returns one of:
--   {'granted', nonce, now}  the nonce of what is stored, and the clock of Redis, ms
--   {'marked', nonce, now}  the same with the nonce of the mark, because nothing was stored
--   {'leased', '', left}  another caller has the lease; the time that it has left, ms
-- Where an entry or a mark has its nonce, counted from 0.
local NONCE, NONCE_END, NONCE_BYTES = 8, 15, 8
-- The longest lease, as LEASE_MS of the handlers. One that lasts longer has expired, because the clock was set back since.
local LONGEST_MS = 300000
if ARGV[3] ~= '0' and not redis.call('SET', KEYS[2], ARGV[4], 'NX', 'PX', ARGV[3]) then
  local left = redis.call('PTTL', KEYS[2])
  if left <= math.max(LONGEST_MS, tonumber(ARGV[3])) then return { 'leased', '', math.max(left, 0) } end
  redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[3])
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- A key of another type causes an error here, and is overwritten.
local nonce = redis.pcall('GETRANGE', KEYS[1], NONCE, NONCE_END)
if type(nonce) == 'string' and #nonce == NONCE_BYTES then
  -- It may be kept for longer than it can be served; its header has the actual end.
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return { 'granted', nonce, now }
end
redis.call('SET', KEYS[1], ARGV[1] .. struct.pack('>I8', now), 'PX', ARGV[2])
return { 'marked', string.sub(ARGV[1], NONCE + 1, NONCE_END + 1), now }
