-- create: creates a session, and ends the oldest of its subject if the subject has too many.
-- KEYS[1]   index of the subject
-- KEYS[2]   sessions in use in the current window, of the partition
-- KEYS[3]   the session
-- KEYS[4]   record of the call's idempotency key; the index again if it has none
-- KEYS[5]   the session that an earlier call with the idempotency key created, if the caller knows it; else the new session again
-- KEYS[6]   ids of the partition's sessions
-- KEYS[7..] sessions of the subject that the caller knows
-- ARGV[1]   id
-- ARGV[2]   SHA-256 of the token
-- ARGV[3]   SHA-256 of the part that all its tokens share
-- ARGV[4]   subject
-- ARGV[5]   role, scopes and device, JSON
-- ARGV[6]   data, JSON
-- ARGV[7]   idle time to live, ms
-- ARGV[8]   absolute time to live, ms
-- ARGV[9]   maximum number of sessions of the subject, at most 512
-- ARGV[10]  digest of the body, '' without an idempotency key
-- ARGV[11]  TTL of the record of the idempotency key, ms
-- ARGV[12]  the id of the session in KEYS[5], '' for none: it ends
-- ARGV[13..] the ids of the sessions in KEYS[7..], in their order
-- Returns one of, one value per line:
--   'created', born, seen, idle, ends, absolute  as in held.lua
--   'full', ids  nothing was created, because the subject has too many sessions and the call named too few of them; has the ids of all
--   'before', id  an earlier call with the key created this session, which was not named
--   'differs'  the earlier call with the key had another body
-- Redis that has no memory left refuses a script's HSET, but not where the script has written before: so the session comes
-- first, and what makes room for it after that. A subject keeps its sessions where it cannot have one more.
local index, active, session, open, id = KEYS[1], KEYS[2], KEYS[3], KEYS[6], ARGV[1]
local born = now_us()
local now = math.floor(born / 1000)

local once, digest, before = KEYS[4], ARGV[10], ARGV[12]
if digest ~= '' then
  local was, whose = string.match(call('GET', once) or '', '^(%x+) (%x+)$')
  if was and was ~= digest then return 'differs' end
  if was and whose ~= before then return lines({ 'before', whose }) end
  if not was then before = '' end
end

local over = call('ZCOUNT', index, text(now), '+inf') + 1 - tonumber(ARGV[9])
if before ~= '' and tonumber(call('ZSCORE', index, before) or 0) >= now then over = over - 1 end
local alive, unused = {}, {}
if over > 0 then
  -- The first of the ids, and of their sessions.
  local IDS, SESSIONS = 13, 7
  for i = IDS, #ARGV do
    local key = KEYS[SESSIONS + i - IDS]
    local ends = call('ZSCORE', index, ARGV[i])
    if ends and tonumber(ends) >= now and ARGV[i] ~= before then
      local since = call('HGET', key, 'born')
      if since then
        alive[#alive + 1] = { born = tonumber(since), key = key, id = ARGV[i] }
      else
        -- It expired without use, before its absolute end.
        unused[#unused + 1] = ARGV[i]
        over = over - 1
      end
    end
  end
  if over > #alive then
    return lines({ 'full', unpack(call('ZRANGEBYSCORE', index, text(now), '+inf', 'LIMIT', 0, MOST_SESSIONS)) })
  end
  table.sort(alive, function(a, b)
    if a.born ~= b.born then return a.born < b.born end
    return a.id < b.id
  end)
end

local absolute = text(now + tonumber(ARGV[8]))
local ends = text(now + math.min(tonumber(ARGV[7]), tonumber(ARGV[8])))
call('HSET', session, 'token', ARGV[2], 'family', ARGV[3], 'number', 0, 'used', 0, 'replaced', '',
  'subject', ARGV[4], 'about', ARGV[5], 'data', ARGV[6], 'version', 1,
  'born', text(born), 'seen', text(now), 'idle', ARGV[7], 'ends', ends, 'absolute', absolute)
call('PEXPIREAT', session, ends)
if before ~= '' then
  call('DEL', KEYS[5])
  call('ZREM', index, before)
  call('ZREM', open, before)
end
if digest ~= '' then call('SET', once, digest .. ' ' .. id, 'PX', ARGV[11]) end
for i = 1, over do
  call('DEL', alive[i].key)
  call('ZREM', index, alive[i].id)
  call('ZREM', open, alive[i].id)
end
for _, gone in ipairs(unused) do
  call('ZREM', index, gone)
  call('ZREM', open, gone)
end
call('ZREMRANGEBYSCORE', index, '-inf', '(' .. text(now))
call('ZADD', index, absolute, id)
call('PEXPIREAT', index, text(tonumber(call('ZRANGE', index, -1, -1, 'WITHSCORES')[2])))
-- A use moves the end without writing it here. A count reads the new end when this one has passed (recount.lua).
call('ZADD', open, ends, id)
call('PEXPIREAT', open, absolute, 'NX')
call('PEXPIREAT', open, absolute, 'GT')
call('PFADD', active, session)
call('PEXPIRE', active, ACTIVE_MS)
return lines({ 'created', text(born), text(now), ARGV[7], ends, absolute })
