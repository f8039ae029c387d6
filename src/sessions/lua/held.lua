-- Shared by the scripts that take a token; clock.lua precedes it. A session is one hash. `token` is the SHA-256 of the
-- token that is valid, `s:SHA256` of each that it has replaced: its value is the Unix ms up to which that is honoured.

-- The session's fields if `token` opens it. Returns 'ok' and the fields, as the callers return them: 1 token, 2 subject,
-- 3 about, 4 data, 5 version, 6 born, 7 seen, 8 idle, 9 ends, 10 absolute. Else 'unknown'; or 'reused' and the fields for a
-- token that was replaced and is honoured no more: somebody else has it, and the session is gone, with all its tokens.
local function held(session, token, now)
  local f = call('HMGET', session, 'token', 'subject', 'about', 'data', 'version', 'born', 'seen', 'idle', 'ends',
    'absolute')
  if not f[1] then return 'unknown' end
  if f[1] == token then return 'ok', f end
  local honoured = call('HGET', session, 's:' .. token)
  if not honoured then return 'unknown' end
  if now < tonumber(honoured) then return 'ok', f end
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
  return lines(f)
end

-- Moves the end to `idle` ms from now: never to an earlier one, never past the absolute end. A use also counts the
-- session as active.
local function slide(session, active, f, now)
  local ends = math.min(math.max(tonumber(f[9]), now + tonumber(f[8])), tonumber(f[10]))
  f[7], f[9] = text(now), text(ends)
  call('HSET', session, 'seen', f[7], 'ends', f[9])
  call('PEXPIREAT', session, f[9])
  call('PFADD', active, session)
  call('PEXPIRE', active, 600000)
end

