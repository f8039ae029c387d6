-- Shared by scripts that add jobs with unique keys.

-- Returns when a debounced job was added, and its place in line. A job that was not leased yet keeps the time of the first call, and its
-- place from then if it has a maximum wait: otherwise repeated calls would keep it at the end of the line.
local function debounced(r, place, has_longest)
  if r.leased ~= NEVER then return nil, place end
  if has_longest then place = format('%d', place - place % SEQUENCES + r.place % SEQUENCES) end
  return r.created, place
end

-- Adds one job with a unique key, as the mode of the key allows. `terms` is MODE KEEP_MS [',' MAX_WAIT_MS] ' ' KEY: the mode ('r' refuse,
-- 'p' replace, 'd' debounce), how long the key is kept (0 until the job is done), and how long calls can postpone the job. Returns the
-- outcome and the id.
local function put_unique(id, number, due, flags, rest, place, terms)
  local how, for_ms, longest, key = match(terms, '^(%a)(%d+),?(%d*) (.+)$')
  local outcome, holder, created = 'created', holder_of(key), nil
  if holder then
    if how == 'r' then return 'existing', holder end
    local r = find_job(holder)
    if r and (r.state == 'r' or r.state == 'w') and take_out(r, holder) then
      if how == 'd' then
        outcome, id = 'debounced', holder
        created, place = debounced(r, place, longest ~= '')
      else
        call('HDEL', SPECS, holder)
        call('HDEL', RUNS, holder)
        forget_sizes({ holder })
        outcome = 'replaced'
        count('replaced', 1)
        note('replaced', holder)
      end
    elseif r and r.state == 'l' then
      lose_key(r, holder)
    end
  end
  if longest ~= '' then due = math.max(now, math.min(due, (created or from) + longest)) end
  put_one(id, number, due, flags, rest, place, created)
  local ends = for_ms == '0' and 0 or from + for_ms
  call('HSET', UNIQUE, key, format('%d ', ends) .. id)
  if ends > 0 then call('ZADD', UNIQUE_ENDS, ends, key) else call('ZREM', UNIQUE_ENDS, key) end
  if outcome == 'debounced' then
    note('debounced', id)
  else
    count('added', 1)
    note('added', id)
  end
  return outcome, id
end
