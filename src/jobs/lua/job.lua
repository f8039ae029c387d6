-- Shared by what looks at one job, or at a unique key.

-- The run of a job that is ready and was never anything else, as if it had one.
local function first_run(spec)
  return 'r-' .. NO_TOKEN .. NEVER .. sub(spec, 1, 9) .. '000' .. sub(spec, 10, 22)
end
-- A job as it is; nil if there is none.
local function find_job(id)
  local spec = call('HGET', SPECS, id)
  return spec and read(call('HGET', RUNS, id) or first_run(spec), spec) or nil
end

-- Which job has a unique key now; nil for none. A job that is dead or cancelled has none: earlier versions let it keep its key.
local function holder_of(key)
  local ends, holder = match(call('HGET', UNIQUE, key) or '', '^(%d+) (.+)$')
  if not holder or ends ~= '0' and tonumber(ends) <= now then return nil end
  if call('ZSCORE', DEAD, holder) or call('ZSCORE', CANCELLED, holder) then return nil end
  return holder
end

-- A job that runs is not to run again once another has its key: that one is put in for it.
local function lose_key(r, id)
  local flags = byte(r.flags)
  if flags % 16 >= 8 then return end
  r.flags = string.char(flags + 8)
  write_run(id, r)
end

-- Takes a job that is not leased out of where it is; false if it is not there to be taken.
local function take_out(r, id)
  if r.state == 'r' then return call('ZREM', KEYS[LINES + tonumber(r.number)], id) == 1 end
  local places = { w = DELAYED, l = LEASED, d = DONE, x = DEAD, c = CANCELLED }
  return call('ZREM', places[r.state], id) == 1
end
