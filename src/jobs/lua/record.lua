-- Shared by scripts that change jobs one by one: parses and writes their runs.

local noted = {}
local function note(kind, id)
  local ids = noted[kind]
  if not ids then
    ids = {}
    noted[kind] = ids
    kinds[#kinds + 1] = kind
    happened[#kinds] = ids
  end
  ids[#ids + 1] = id
end

-- Parses a run and its spec, for calls that are rare.
local function read(run, spec)
  local TOKEN, LEASED_AT, FLAGS, KEEP, ATTEMPTS, WHERE, SINCE_END = 3, 19, 32, 33, 41, 44, 56
  local BRIEF = 24
  local tail = find(run, '\n', WHERE, true)
  local number, place, created, most, backoff, base, cap, jitter, limit, priority, kind, unique =
    match(spec, '^(%d+) (%d+) (%d+) (%d+) (%a) (%d+) (%d+) (%S+) (%d+) (%d+) (%S+) (%S*)\n', BRIEF)
  return {
    state = sub(run, 1, 1), ended_by = sub(run, 2, 2), token = sub(run, TOKEN, LEASED_AT - 1),
    leased = sub(run, LEASED_AT, FLAGS - 1), flags = sub(run, FLAGS, FLAGS), keep = sub(run, KEEP, ATTEMPTS - 1),
    attempts = tonumber(sub(run, ATTEMPTS, WHERE - 1)), since = sub(run, WHERE, SINCE_END),
    tail = tail and sub(run, tail) or '', number = number, place = place, created = created, most = tonumber(most),
    backoff = backoff, base = tonumber(base), cap = tonumber(cap), jitter = tonumber(jitter), limit = tonumber(limit),
    terms = table.concat({ most, backoff, base, cap, jitter, limit, priority }, ' '), kind = kind, unique = unique,
  }
end
local function written(r)
  local where = r.since .. ' ' .. r.number .. ' ' .. r.place
  if r.state == 'l' then where = r.unique == '' and '' or r.leased .. ' ' .. r.unique end
  return r.state .. r.ended_by .. r.token .. r.leased .. r.flags .. r.keep .. format('%03d', r.attempts) .. where .. r.tail
end
local function write_run(id, r)
  local run = written(r)
  call('HSET', RUNS, id, run)
  if #run > SHORT or long_bytes > 0 then resize(id .. 'r', #run) end
end
