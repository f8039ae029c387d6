-- put_profile: replaces (also: deletes) or merges an entity's profile.
-- KEYS[1]   profile
-- KEYS[2]   sequence of the partition
-- KEYS[3]   update channel; a sharded one if its name has a hash tag
-- ARGV[1]   head of the message, as in record.lua
-- ARGV[2]   id
-- ARGV[3]   'replace', 'merge' or 'delete'
-- ARGV[4..] the patch (see merge_profile.lua); none for 'delete'
-- Returns the sequence; 0 where there was nothing to delete, -1 where the profile would have too many attributes.
-- A deleted profile keeps its version for an hour, so that an instance can tell a deletion from a reading that came late.
local verb = ARGV[3]
if verb == 'delete' and redis.call('HLEN', KEYS[1]) < 2 then return 0 end
if verb == 'merge' and too_many_attributes(KEYS[1], 4) then return -1 end
local sequence = redis.call('INCR', KEYS[2])
if verb ~= 'merge' then redis.call('DEL', KEYS[1]) end
if verb == 'delete' then
  redis.call('HSET', KEYS[1], 'v', sequence)
  redis.call('EXPIRE', KEYS[1], 3600)
else
  merge_profile(KEYS[1], 4, sequence)
end
publish(KEYS[3], ARGV[1] .. ',"seq":' .. sequence .. ',"profiles":["' .. ARGV[2] .. '"]}')
return sequence
