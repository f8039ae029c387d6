-- probe: writes a small key, as a script, like every write of the service.
-- KEYS[1]  the key
-- ARGV[1]  when it ends, ms from now on
-- Returns 1.
-- Repeatable: it writes the same.
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return 1
