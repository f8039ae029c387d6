-- Shared by what looks after a queue: makes delayed jobs ready that are due, and takes back leases that ran out.

-- Makes up to so many delayed jobs ready that are due.
local function promote(most)
  local ids = call('ZRANGEBYSCORE', DELAYED, '-inf', now, 'LIMIT', 0, most)
  if #ids == 0 then return 0 end
  local runs, changed = call('HMGET', RUNS, unpack(ids)), {}
  for i, id in ipairs(ids) do
    local run = runs[i]
    if run then
      local number, place = match(run, '^ (%d+) (%d+)', 57)
      make_ready(number, place, id)
      changed[#changed + 1] = id
      changed[#changed + 1] = 'r' .. sub(run, 2)
    end
  end
  call('ZREM', DELAYED, unpack(ids))
  many('HSET', RUNS, changed)
  note_all('ready', ids)
  return #ids
end

-- How many errors of a job are kept, the latest.
local MOST_ERRORS = 5

-- The progress, the result and the errors of a tail.
local function parts(tail)
  local progress, result, errors = match(tail, '^\n([^\n]*)\n([^\n]*)(.*)$')
  return progress or '', result or '', errors or ''
end
local function add_error(r, text)
  local progress, result, errors = parts(r.tail)
  errors = errors .. '\n' .. r.attempts .. ' ' .. now_text .. ' ' .. text
  local _, n = string.gsub(errors, '\n', '')
  for _ = MOST_ERRORS + 1, n do
    errors = match(errors, '^\n[^\n]*(.*)$')
  end
  r.tail = '\n' .. progress .. '\n' .. result .. errors
end

-- For how long a job waits after its latest attempt, as its policy has it; `drawn` is 0 to 999, for the jitter.
local function backoff_ms(r, drawn)
  local ms = r.base
  if r.backoff == 'e' then ms = math.min(r.cap, ms * 2 ^ math.min(r.attempts - 1, 40)) end
  return math.floor(ms * (1 - r.jitter * drawn / 1000))
end
-- Makes a job that was leased ready again after that time, at the place in the line that it had.
local function try_again(r, id, ms)
  local due = from + ms
  r.state, r.since = ms == 0 and 'r' or 'w', stamp(due)
  write_run(id, r)
  if ms == 0 then
    make_ready(r.number, r.place, id)
  else
    call('ZADD', DELAYED, stamp(due), id)
    will_be_due(due)
  end
end

-- Takes back up to so many leases that ran out. Each is a failed attempt: the job is tried again as its policy has it, and is dead
-- after its last attempt, or cancelled where another has taken its key. Returns whether there may be more.
local function reclaim(most)
  local ids = call('ZRANGEBYSCORE', LEASED, '-inf', now, 'LIMIT', 0, most)
  if #ids == 0 then return false end
  local specs, n = within(SPECS, ids)
  local behind = n < #ids or n == most
  for i = #ids, n + 1, -1 do
    ids[i] = nil
  end
  local runs = call('HMGET', RUNS, unpack(ids))
  call('ZREM', LEASED, unpack(ids))
  look_at_delayed()
  local died, cancelled = false, false
  for i, id in ipairs(ids) do
    if runs[i] and specs[i] then
      local r = read(runs[i], specs[i])
      r.token, r.ended_by = NO_TOKEN, '-'
      add_error(r, '"the lease ran out"')
      if r.attempts >= r.most then
        die(r, id)
        died = true
      elseif has_lost_key(r) then
        end_cancelled(r, id)
        cancelled = true
      else
        -- Redis's `math.random` draws the same in each call.
        try_again(r, id, backoff_ms(r, (time[2] + 389 * i) % 1000))
      end
    end
  end
  if died then forget(DEAD, most_dead, 2 * most) end
  if cancelled then forget(CANCELLED, most_done, 2 * most) end
  count('lost', #ids)
  note_all('lost', ids)
  return behind
end
