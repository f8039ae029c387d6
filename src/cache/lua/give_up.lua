-- give_up: ends the lease of a computation that failed, so that another instance may try.
-- KEYS[1] lease
-- ARGV[1] its token
-- Returns one of:
--   1  it has ended
--   0  it had ended before, or another caller has it
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
