-- write_data: replaces a session's data if they have not changed since they were read.
-- KEYS[1] session
-- KEYS[2] sessions in use in the current window, of the partition
-- ARGV[1] SHA-256 of the token, which was accepted when the data were read
-- ARGV[2] SHA-256 of the part that all tokens of its session share
-- ARGV[3] version that was read
-- ARGV[4] data, JSON
-- Returns one of, one value per line:
--   what validate returns
--   'conflict', version  the data have changed since; has their current version
local now = now_ms()
local outcome, f = held(KEYS[1], ARGV[1], ARGV[2], now, true)
if outcome ~= 'ok' then return refusal(outcome, f) end
if f[5] ~= ARGV[3] then return lines({ 'conflict', f[5] }) end
f[4], f[5] = ARGV[4], text(tonumber(f[5]) + 1)
call('HSET', KEYS[1], 'data', f[4], 'version', f[5])
slide(KEYS[1], KEYS[2], f, now)
return opened(f)
