-- counts: how a queue is.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    how many heads of lines, of sixteen jobs each, may be looked at for the one that waits longest; fewer where they are long
-- Returns {'ok', now, ready, delayed, leased, done, dead, cancelled, since, {field, value}...}, flat: since when the job waits
-- that is ready for longest, 0 for none, and the counters; {'types', n} as lease.lua.
-- Repeatable: it only reads.
if unknown then return { 'types', types } end
local ready, oldest, looks, bytes = 0, 0, tonumber(ARGV[1]), 0
-- Of those of one priority that were never anything but ready the first in line waits longest. Those that have come back, with the
-- places that they had, may be before it.
for number = 1, types do
  local key = KEYS[LINES + number]
  ready = ready + call('ZCARD', key)
  local least = '-inf'
  while looks > 0 and bytes < MOST_BYTES do
    looks = looks - 1
    local first = call('ZRANGEBYSCORE', key, least, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if #first == 0 then break end
    local behind = format('%d', (math.floor(first[2] / 8796093022208) + 1) * 8796093022208)
    local ids = call('ZRANGEBYSCORE', key, first[2], '(' .. behind, 'LIMIT', 0, 16)
    local runs = call('HMGET', RUNS, unpack(ids))
    for _, run in ipairs(runs) do
      bytes = bytes + (run and #run or 0)
    end
    for i, id in ipairs(ids) do
      local record = runs[i] or call('HGET', SPECS, id) or ''
      if not runs[i] then bytes = bytes + #record end
      local since = tonumber(sub(record, runs[i] and 44 or 10, runs[i] and 56 or 22))
      if since and (oldest == 0 or since < oldest) then oldest = since end
      if not runs[i] then break end
    end
    least = behind
  end
end
local out = { 'ok', now, ready, call('ZCARD', DELAYED), call('ZCOUNT', LEASED, '-inf', '(+inf'),
  call('ZCARD', DONE), call('ZCARD', DEAD),
  call('ZCARD', CANCELLED), oldest }
for _, word in ipairs(call('HGETALL', META)) do
  out[#out + 1] = word
end
return out
