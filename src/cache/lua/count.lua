-- count: adds to a counter; its expiry is set when it begins, and later calls do not change it.
-- KEYS[1] counter
-- KEYS[2] record of the call's idempotency key; the counter again if there is none
-- ARGV[1] what to add
-- ARGV[2] TTL of a counter that begins now, ms
-- ARGV[3] digest of the body; '' without an idempotency key
-- ARGV[4] TTL of the record of the key, ms
-- Returns one of, the value as text and the TTL in ms:
--   {'counted', value, TTL}
--   {'before', value, TTL}  a call with the same key and body returned that value
--   {'differs', '', 0}  the key was used with another body
--   {'range', value, TTL}  the counter would exceed ±(2^53 - 1) and is unchanged
--   {'none', '', 0}  what is stored is not a counter
-- The largest value: 2^53 - 1.
local MOST = 9007199254740991
if ARGV[3] ~= '' then
  local digest, value = string.match(redis.call('GET', KEYS[2]) or '', '^(%x+) (%-?%d+)$')
  if digest then
    if digest ~= ARGV[3] then return { 'differs', '', 0 } end
    return { 'before', value, math.max(redis.call('PTTL', KEYS[1]), 0) }
  end
end
local was = redis.pcall('GET', KEYS[1])
if type(was) == 'table' then return { 'none', '', 0 } end
local number = was and tonumber(was) or 0
-- Whole as INCRBY reads it, without zeros in front. Exact: within 2^53 each of them, and so no further off than 2^54.
local is_whole = was == '0' or not was or string.match(was, '^%-?[1-9]%d*$')
if not is_whole or math.abs(number) > MOST then return { 'none', '', 0 } end
if math.abs(number + tonumber(ARGV[1])) > MOST then
  return { 'range', was or '0', math.max(redis.call('PTTL', KEYS[1]), 0) }
end
local now = redis.call('INCRBY', KEYS[1], ARGV[1])
local ends = redis.call('PTTL', KEYS[1])
if ends < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  ends = tonumber(ARGV[2])
end
local value = string.format('%.0f', now)
if ARGV[3] ~= '' then redis.call('SET', KEYS[2], ARGV[3] .. ' ' .. value, 'PX', ARGV[4]) end
return { 'counted', value, ends }
