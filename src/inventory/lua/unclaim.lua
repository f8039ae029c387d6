-- unclaim: deletes the entry of a group for an item that was not created.
-- KEYS[1] entry that names the group of the item
-- ARGV[1] time at which the entry expires, Unix ms, as claim.lua returned it
-- Returns 1;
--         0 if the entry is gone, or another call relies on it: nothing was done.
if redis.call('PEXPIRETIME', KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
return redis.call('DEL', KEYS[1])
