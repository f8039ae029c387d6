-- Shared by the scripts that put jobs in.
local YEAR_MS = 366 * 86400000

-- When a job is due: '' is now, '+' and ms from now on, '@' and a time.
local function due_at(when)
  local sign, ms = match(when, '^([+@])(%d+)$')
  if not sign or ms == '0' then return now end
  return sign == '+' and from + ms or math.max(tonumber(ms), now)
end

-- Sequences of one priority.
local SEQUENCES = 8796093022208
-- The place in line: higher priorities first, then as they came. Below 2^53.
local function place_of(priority, seq)
  return format('%d', (1001 - priority) * SEQUENCES + seq)
end

-- The spec, and the run where the job is delayed. `flags` are its flags and for how long it is kept, `created` is when it was
-- put in if that is not now.
local function records_of(number, due, flags, rest, place, created)
  local since = due == now and now_text or stamp(due)
  local spec = flags .. since .. ' ' .. number .. ' ' .. place .. ' ' .. (created or now_text) .. ' ' .. rest
  if due <= now then return spec end
  return spec, 'w-' .. NO_TOKEN .. NEVER .. flags .. '000' .. since .. ' ' .. number .. ' ' .. place
end

-- How many bytes a job will count as at most, with these flags and the rest of its spec.
local function bytes_of(flags, rest)
  local bytes = #flags + #rest + 64
  return bytes > SHORT and SHORT + bytes or SHORT
end

-- Returns whether there is room for n more jobs of `bytes` bytes even if all jobs of the queue wait. Else bound.lua decides.
local function has_room(n, bytes)
  local jobs = call('HLEN', SPECS)
  return jobs + n <= most_waiting and SHORT * jobs + long_bytes + bytes <= most_bytes
end
