-- unclaim: takes back a claim of a group for an item that was not made.
-- KEYS[1] the entry that names its group
-- ARGV[1] when it ends, Unix ms, as claim.lua said when it made it
-- Returns 1; 0 if the entry is gone, or somebody else counts on it since: then nothing was done.
if redis.call('PEXPIRETIME', KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
return redis.call('DEL', KEYS[1])
