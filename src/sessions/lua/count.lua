-- count: counts the sessions of a partition, and returns the ids of those whose recorded end has passed.
-- KEYS[1] ids of the partition's sessions, by a former or current end
-- KEYS[2] sessions in use in the last window of time
-- KEYS[3] sessions in use in the current window
-- ARGV[1] maximum number of ids, up to 500
-- Returns {approximate number of sessions in use; number of sessions, including ended ones that were not removed yet; ids ...}. The ids
--         are for recount.lua.
-- Repeatable: it only reads.
local due = call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now_ms()), 'LIMIT', 0, tonumber(ARGV[1]))
return { text(call('PFCOUNT', KEYS[2], KEYS[3])), text(call('ZCARD', KEYS[1])), unpack(due) }
