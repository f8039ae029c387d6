-- Shared by scripts that read one job, or a unique key.

-- Returns the run of a job that has no run, because it was always ready.
local function first_run(spec)
  -- FLAGS with KEEP, then SINCE.
  local KEEP_END, SINCE_END = 9, 22
  return 'r-' .. NO_TOKEN .. NEVER .. sub(spec, 1, KEEP_END) .. '000' .. sub(spec, KEEP_END + 1, SINCE_END)
end
-- Returns a job; nil if there is none.
local function find_job(id)
  local spec = call('HGET', SPECS, id)
  return spec and read(call('HGET', RUNS, id) or first_run(spec), spec) or nil
end

-- Returns the job that has a unique key; nil for none. A dead or cancelled job has no key: earlier versions let it keep its key.
local function holder_of(key)
  local ends, holder = match(call('HGET', UNIQUE, key) or '', '^(%d+) (.+)$')
  if not holder or ends ~= '0' and tonumber(ends) <= now then return nil end
  if call('ZSCORE', DEAD, holder) or call('ZSCORE', CANCELLED, holder) then return nil end
  return holder
end

-- Marks a leased job whose unique key another job has taken, so that it does not run again.
local function lose_key(r, id)
  local LOST_KEY = 8
  local flags = byte(r.flags)
  if flags % (2 * LOST_KEY) >= LOST_KEY then return end
  r.flags = string.char(flags + LOST_KEY)
  write_run(id, r)
end

-- Removes a job from the set of its state. Returns false if it is not in it.
local function take_out(r, id)
  if r.state == 'r' then return call('ZREM', KEYS[LINES + tonumber(r.number)], id) == 1 end
  local places = { w = DELAYED, l = LEASED, d = DONE, x = DEAD, c = CANCELLED }
  return call('ZREM', places[r.state], id) == 1
end
