-- Shared by scripts that add jobs.
local YEAR_MS = 366 * 86400000

-- Returns when a job is due. A run time is '' for now, '+' MS for a delay, or '@' MS for a Unix time.
local function due_at(when)
  local sign, ms = match(when, '^([+@])(%d+)$')
  if not sign or ms == '0' then return now end
  return sign == '+' and from + ms or math.max(tonumber(ms), now)
end

-- Number of sequences of one priority.
local SEQUENCES = 8796093022208
-- Returns the place in line: higher priorities first, then in the order of adding. Below 2^53.
local function place_of(priority, seq)
  return format('%d', (1001 - priority) * SEQUENCES + seq)
end

-- Returns the spec, and the run if the job is delayed. `flags` has FLAGS and KEEP; `created` is when the job was added, if not now.
local function records_of(number, due, flags, rest, place, created)
  local since = due == now and now_text or stamp(due)
  local spec = flags .. since .. ' ' .. number .. ' ' .. place .. ' ' .. (created or now_text) .. ' ' .. rest
  if due <= now then return spec end
  return spec, 'w-' .. NO_TOKEN .. NEVER .. flags .. '000' .. since .. ' ' .. number .. ' ' .. place
end

-- Returns the maximum number of bytes that a job with these flags and the rest of its spec counts.
local function bytes_of(flags, rest)
  -- At most what a spec has besides: SINCE, NUMBER, PLACE, CREATED and spaces.
  local OTHER_BYTES = 64
  local bytes = #flags + #rest + OTHER_BYTES
  return bytes > SHORT and SHORT + bytes or SHORT
end

-- Returns whether there is room for n more jobs of `bytes` bytes even if all jobs of the queue wait. Otherwise bound_by.lua decides.
local function has_room(n, bytes)
  local jobs = call('HLEN', SPECS)
  return jobs + n <= most_waiting and SHORT * jobs + long_bytes + bytes <= most_bytes
end
