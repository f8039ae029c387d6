-- Shared by scripts that end leases: all ends but completions.

-- Delays a job that continues, with another type or payload.
local function continue_job(r, id, how, types_by_name)
  local holder = r.unique ~= '' and holder_of(r.unique)
  if has_lost_key(r) or holder and holder ~= id then
    -- Another job has the key: without the key the series could not be cancelled by it.
    r.ended_by = 't'
    end_cancelled(r, id)
    return 'c'
  end
  local ms, name, payload = match(how, '^t(%d+) ([^\n]*)\n(.*)$')
  if payload == '' then
    local BRIEF = 24
    local spec = call('HGET', SPECS, id)
    payload = sub(spec, find(spec, '\n', BRIEF, true) + 1)
  end
  if name ~= '' then r.number, r.kind = types_by_name[name], name end
  local due = from + ms
  r.state, r.ended_by, r.attempts, r.since, r.tail = 'w', 't', 0, stamp(due), ''
  local brief = table.concat({ r.number, r.place, r.created, r.terms, r.kind, r.unique }, ' ')
  local spec = r.flags .. r.keep .. r.since .. ' ' .. brief .. '\n' .. payload
  call('HSET', SPECS, id, spec)
  resize(id, #spec)
  write_run(id, r)
  will_be_due(due)
  call('ZADD', DELAYED, stamp(due), id)
  count('continued', 1)
  note('continued', id)
  return 'w'
end

-- Ends an attempt as failed. Returns the state of the job.
local DAY_MS = 86400000
local function fail(r, id, how)
  local mode, number, least, text = match(how, '^f(%a)(%d+),?(%d*) (.*)$')
  r.ended_by = 'f'
  add_error(r, text)
  if mode == 'u' and now - r.created < DAY_MS then
    r.attempts = r.attempts - 1
  else
    if mode == 'u' then mode, number, least = 'p', 0, number end
    count('failed', 1)
    if mode == 'n' or r.attempts >= r.most then
      die(r, id)
      return 'x'
    end
  end
  if has_lost_key(r) then
    end_cancelled(r, id)
    return 'c'
  end
  local ms = tonumber(number)
  if mode == 'p' then ms = math.max(backoff_ms(r, number), tonumber(least) or 0) end
  note(mode == 'u' and 'released' or 'failed', id)
  try_again(r, id, ms)
  return r.state
end

-- Returns a released job to its place in line. The attempt does not count.
local function give_back(r, id)
  r.state, r.ended_by, r.since, r.attempts = 'r', 'r', now_text, r.attempts - 1
  if has_lost_key(r) then
    end_cancelled(r, id)
    return 'c'
  end
  write_run(id, r)
  make_ready(r.number, r.place, id)
  note('released', id)
  return 'r'
end

-- Ends a lease that is held; settle.lua defines `how`. Returns the state of the job.
local function end_lease(run, id, how, types_by_name)
  local r, verb = read(run, call('HGET', SPECS, id)), sub(how, 1, 1)
  if verb == 't' then return continue_job(r, id, how, types_by_name) end
  if verb == 'r' then return give_back(r, id) end
  return fail(r, id, how)
end
