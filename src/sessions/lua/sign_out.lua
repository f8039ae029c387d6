-- sign_out: ends the session that a token opens.
-- KEYS[1] session
-- KEYS[2] index of the subject
-- KEYS[3] ids of the partition's sessions
-- ARGV[1] SHA-256 of the token
-- ARGV[2] SHA-256 of the part that all tokens of its session share
-- ARGV[3] id
-- Returns one of, one value per line:
--   'ok'
--   'unknown'  no session has the token
--   'reused', subject  the token is no longer accepted: the session is deleted, with all its tokens
local outcome, f = held(KEYS[1], ARGV[1], ARGV[2], now_ms())
if outcome == 'unknown' then return outcome end
call('DEL', KEYS[1])
call('ZREM', KEYS[2], ARGV[3])
call('ZREM', KEYS[3], ARGV[3])
return refusal(outcome, f)
