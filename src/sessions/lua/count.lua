-- count: counts the sessions of a partition, and names those whose end may have moved.
-- KEYS[1] ids of the partition's sessions, by an end that they had at some time
-- KEYS[2] sessions in use in the last window of time
-- KEYS[3] sessions in use in this one
-- ARGV[1] how many are named at most, up to 500
-- Returns {how many were in use, roughly; how many there are, those included that have ended and are still to be named; ids ...}: for
--         recount.lua.
-- Repeatable: it only reads.
local due = call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now_ms()), 'LIMIT', 0, tonumber(ARGV[1]))
return { text(call('PFCOUNT', KEYS[2], KEYS[3])), text(call('ZCARD', KEYS[1])), unpack(due) }
