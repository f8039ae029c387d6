-- Shared by what puts jobs with unique keys in.

-- A job that is debounced and was not leased yet was put in when the first of the calls was made, and has its place in line from
-- then if it has a longest wait: otherwise calls without end would keep it at the end of the line.
local function debounced(r, place, has_longest)
  if r.leased ~= NEVER then return nil, place end
  if has_longest then place = format('%d', place - place % SEQUENCES + r.place % SEQUENCES) end
  return r.created, place
end

-- Puts one job with a unique key in, as far as the key allows: `terms` is how ('r' refuse, 'p' replace, 'd' debounce), for
-- how many ms the key is kept (0 until the job is done), behind ',' for how many ms calls can put the job off at most, and the
-- key. Returns what became of it and the id.
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
