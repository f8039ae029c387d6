-- put_profile: replaces, merges or deletes an entity's profile, with Redis's current time, later than all that it replaces.
-- KEYS[1]   profile
-- KEYS[2]   sequence of the partition
-- KEYS[3]   update channel; a sharded one if its name has a hash tag
-- ARGV[1]   head of the message, as in record.lua
-- ARGV[2]   id
-- ARGV[3]   TTL of profiles, ms
-- ARGV[4]   'replace' or 'merge'
-- ARGV[5..] the change (see merge_profile.lua), whose times are ignored; an empty change to delete the profile
-- Returns one of:
--   the sequence  the profile changed
--   0  nothing changed
--   -1  the profile would have too many attributes: nothing is done
-- A deleted profile is a hash with only a floor. It expires like any other, so that late members and instances that were disconnected
-- see it.
local now, key, replaces = clock_ms(), KEYS[1], ARGV[4] == 'replace'
if replaces then
  local stamp = now
  if redis.call('TYPE', key).ok == 'hash' then stamp = math.max(now, newest_ms(key, now) + 1) end
  redis.call('DEL', key)
  redis.call('HSET', key, 'floor', as_ms(stamp - 1))
end
local changed, left_out = merge_profile(key, 5, now, ARGV[3], true)
if left_out then return -1 end
if replaces then
  -- The floor becomes the time of the given members: these count, and older ones do not.
  redis.call('HINCRBY', key, 'floor', 1)
  redis.call('PEXPIRE', key, ARGV[3])
elseif not changed then
  return 0
end
local sequence = redis.call('INCR', KEYS[2])
redis.call('HSET', key, 'v', sequence)
publish(KEYS[3], ARGV[1] .. ',"seq":' .. sequence .. ',"profiles":["' .. ARGV[2] .. '"]}')
return sequence
