-- counts: how a queue is.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    how many heads of lines may be looked at for the one that waits longest
-- Returns {'ok', now, ready, delayed, leased, done, dead, cancelled, since, {field, value}...}, flat: since when the job waits
-- that is ready for longest, 0 for none, and the counters; {'types', n} as lease.lua.
if unknown then return { 'types', types } end
local ready, oldest, looks = 0, 0, tonumber(ARGV[1])
-- Of those of one priority the first in line waits longest.
for number = 1, types do
  local key = KEYS[LINES + number]
  ready = ready + call('ZCARD', key)
  local least = '-inf'
  while looks > 0 do
    looks = looks - 1
    local head = call('ZRANGEBYSCORE', key, least, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if #head == 0 then break end
    local run = call('HGET', RUNS, head[1])
    local since = run and sub(run, 44, 56) or sub(call('HGET', SPECS, head[1]) or '', 10, 22)
    since = tonumber(since)
    if since and (oldest == 0 or since < oldest) then oldest = since end
    least = (math.floor(head[2] / 8796093022208) + 1) * 8796093022208
  end
end
local out = { 'ok', now, ready, call('ZCARD', DELAYED), call('ZCOUNT', LEASED, '-inf', '(+inf'),
  call('ZCARD', DONE), call('ZCARD', DEAD),
  call('ZCARD', CANCELLED), oldest }
for _, word in ipairs(call('HGETALL', META)) do
  out[#out + 1] = word
end
return out
