-- Shared by scripts that end attempts without completing the job.

-- Number of errors kept of a job, the latest.
local MOST_ERRORS = 5

local function add_error(r, text)
  local progress, result, errors = parts(r.tail)
  errors = errors .. '\n' .. r.attempts .. ' ' .. now_text .. ' ' .. text
  local _, n = string.gsub(errors, '\n', '')
  for _ = MOST_ERRORS + 1, n do
    errors = match(errors, '^\n[^\n]*(.*)$')
  end
  r.tail = '\n' .. progress .. '\n' .. result .. errors
end

-- Returns the backoff of a job after its latest attempt; `drawn` is 0 to 999, for the jitter.
local function backoff_ms(r, drawn)
  local ms = r.base
  if r.backoff == 'e' then ms = math.min(r.cap, ms * 2 ^ math.min(r.attempts - 1, 40)) end
  return math.floor(ms * (1 - r.jitter * drawn / 1000))
end
-- Makes a job that was leased ready after `ms`, at its original place in line.
local function try_again(r, id, ms)
  local due = from + ms
  r.state, r.since = ms == 0 and 'r' or 'w', stamp(due)
  write_run(id, r)
  if ms == 0 then
    make_ready(r.number, r.place, id)
  else
    will_be_due(due)
    call('ZADD', DELAYED, stamp(due), id)
  end
end
