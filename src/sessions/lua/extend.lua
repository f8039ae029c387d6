-- extend: moves both ends of a session to a later time.
-- KEYS[1] session
-- KEYS[2] sessions in use in the current window, of the partition
-- KEYS[3] index of the subject
-- ARGV[1] SHA-256 of the token
-- ARGV[2] SHA-256 of the part that all tokens of its session share
-- ARGV[3] duration to add, ms
-- ARGV[4] maximum lifetime of a session from its creation on, ms
-- ARGV[5] id
-- Returns what validate does.
local session, index, now, more = KEYS[1], KEYS[3], now_ms(), tonumber(ARGV[3])
local outcome, f = held(session, ARGV[1], ARGV[2], now)
if outcome == 'reused' then call('ZREM', index, ARGV[5]) end
if outcome ~= 'ok' then return refusal(outcome, f) end
local absolute, latest = tonumber(f[10]), math.floor(tonumber(f[6]) / 1000) + tonumber(ARGV[4])
-- A session that already lives longer than is allowed now keeps its ends: they never become earlier.
absolute = math.max(absolute, math.min(absolute + more, latest))
f[10] = text(absolute)
f[9] = text(math.min(tonumber(f[9]) + more, absolute))
call('HSET', session, 'absolute', f[10])
slide(session, KEYS[2], f, now)
call('ZADD', index, f[10], ARGV[5])
call('PEXPIREAT', index, text(tonumber(call('ZRANGE', index, -1, -1, 'WITHSCORES')[2])))
return opened(f)
