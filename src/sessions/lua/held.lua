-- Shared by the scripts that take a token; clock.lua precedes it. A session is one hash. `token` is the SHA-256 of the
-- token that is valid, `family` that of the part that all its tokens share. Its tokens are numbered in the order in which they
-- were created, from 0: `number` is that of the valid one, `used` the highest number of a token that was ever used. `replaced` contains
-- the tokens that rotate has replaced and that may still be accepted, each as `SHA256:ms:number,` where ms is the end of the grace
-- period, Unix ms.

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

-- Reads the session if `token` opens it. Returns 'ok' and the fields, as the callers return them: 1 token, 2 subject,
-- 3 about, 4 data, 5 version, 6 born, 7 seen, 8 idle, 9 ends, 10 absolute; and besides 12 the number of the valid token,
-- 14 replaced, `number` that of this one, `used`. Otherwise returns 'unknown'; or 'reused' and the fields for a token of the session
-- that is no longer accepted: two parties have it, and the session is deleted, with all its tokens.
-- In the millisecond of its end a session is 'unknown' as well, although Redis still has its key.
-- A replaced token is accepted after its grace period until a later one is used, because the reply with that one may have been lost.
-- `begun`: an earlier script of the same call has accepted the token, so its grace period does not end in the middle of the call.
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
  local accepted, number = string.match(f[14], token .. ':(%d+):(%d+),')
  if accepted and (begun or now < tonumber(accepted) or tonumber(number) >= f.used) then
    f.number = tonumber(number)
    return 'ok', f
  end
  if begun then return 'unknown' end
  call('DEL', session)
  return 'reused', f
end

-- Returns the reply if there is no session to continue with.
local function refusal(outcome, f)
  if outcome == 'reused' then return lines({ outcome, f[2] }) end
  return outcome
end

-- Returns the reply if there is one.
local function opened(f)
  f[1] = 'ok'
  return table.concat(f, '\n', 1, 10)
end

-- Records that a token was used.
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
  call('PEXPIRE', active, ACTIVE_MS)
end

