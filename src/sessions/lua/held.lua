-- Shared by the scripts that take a token; clock.lua precedes it. A session is one hash. `token` is the SHA-256 of the
-- token that is valid, `family` that of what all its tokens have in common. Its tokens are numbered in the order in which they
-- were given, from 0: `number` is that of the valid one, `used` the highest of one that was ever used. `replaced` has those
-- that rotate has replaced and that may be honoured still: SHA-256, Unix ms up to which it is honoured in any case, and
-- number, as `SHA256:ms:number,` each.

-- When its memory is full Redis refuses a script's HSET, unless the script has written before. PERSIST is that first write, so existing
-- sessions keep working. PEXPIREAT cannot come first: if the end has passed since the script read the clock, it deletes the session,
-- and HSET would create a new one that never expires.
local function write_until(session, ends, ...)
  call('PERSIST', session)
  call('HSET', session, ...)
  call('PEXPIREAT', session, ends)
end

-- Redis's clock is behind the last use, so it was set back: all times of the session move back by the same amount. The session lasts as
-- if it had been used at this moment, and not additionally for as long as the clock was set back.
local BEHIND_MS = 1000
local function move_back(session, f, now)
  local by = tonumber(f[7]) - now
  local function earlier(ms) return text(tonumber(ms) - by) end
  f[6], f[7], f[9], f[10] = text(tonumber(f[6]) - by * 1000), text(now), earlier(f[9]), earlier(f[10])
  f[14] = string.gsub(f[14], ':(%d+):', function(ms) return ':' .. earlier(ms) .. ':' end)
  write_until(session, f[9], 'born', f[6], 'seen', f[7], 'ends', f[9], 'absolute', f[10], 'replaced', f[14])
end

-- The session's fields if `token` opens it. Returns 'ok' and the fields, as the callers return them: 1 token, 2 subject,
-- 3 about, 4 data, 5 version, 6 born, 7 seen, 8 idle, 9 ends, 10 absolute; and besides 12 the number of the valid token,
-- 14 replaced, `number` that of this one, `used`. Else 'unknown'; or 'reused' and the fields for a token of the session that
-- is honoured no more: two have it, and the session is gone, with all its tokens.
-- At its end a session is 'unknown' as well: Redis has its key until that millisecond is over.
-- A replaced token is honoured beyond its time until one that came later is used: nobody may have heard of that one.
-- `begun` says that the call found the token honoured a moment ago: its time does not end in the middle of a call.
local function held(session, token, family, now, begun)
  local f = call('HMGET', session, 'token', 'subject', 'about', 'data', 'version', 'born', 'seen', 'idle', 'ends',
    'absolute', 'family', 'number', 'used', 'replaced')
  if f[11] ~= family then return 'unknown' end
  if tonumber(f[7]) > now + BEHIND_MS then move_back(session, f, now) end
  if tonumber(f[9]) <= now then return 'unknown' end
  f.used = tonumber(f[13])
  if f[1] == token then
    f.number = tonumber(f[12])
    return 'ok', f
  end
  local honoured, number = string.match(f[14], token .. ':(%d+):(%d+),')
  if honoured and (begun or now < tonumber(honoured) or tonumber(number) >= f.used) then
    f.number = tonumber(number)
    return 'ok', f
  end
  if begun then return 'unknown' end
  call('DEL', session)
  return 'reused', f
end

-- The answer where there is no session to go on with.
local function refusal(outcome, f)
  if outcome == 'reused' then return lines({ outcome, f[2] }) end
  return outcome
end

-- The answer where there is one.
local function opened(f)
  f[1] = 'ok'
  return table.concat(f, '\n', 1, 10)
end

-- Keeps in mind that a token was used.
local function note_use(session, f)
  write_until(session, f[9], 'used', text(f.number))
end

-- Moves the end to `idle` ms from now: never to an earlier one, never past the absolute end. A use also counts the
-- session as active.
local function slide(session, active, f, now)
  local ends = math.min(math.max(tonumber(f[9]), now + tonumber(f[8])), tonumber(f[10]))
  f[7], f[9] = text(now), text(ends)
  write_until(session, f[9], 'seen', f[7], 'ends', f[9], 'used', text(math.max(f.used, f.number)))
  call('PFADD', active, session)
  call('PEXPIRE', active, 600000)
end

