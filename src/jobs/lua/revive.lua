-- Shared by scripts that make ended jobs ready again.

-- Returns a job that has ended to its original place in line, with all its attempts restored. Returns false, and does nothing, if another
-- job has its unique key.
local function revive(r, id)
  if r.unique ~= '' then
    local holder = holder_of(r.unique)
    if holder and holder ~= id then return false end
    if not holder then
      call('HSET', UNIQUE, r.unique, '0 ' .. id)
      call('ZREM', UNIQUE_ENDS, r.unique)
    end
  end
  take_out(r, id)
  r.state, r.ended_by, r.token, r.since, r.attempts = 'r', '-', NO_TOKEN, now_text, 0
  write_run(id, r)
  make_ready(r.number, r.place, id)
  count('revived', 1)
  note('revived', id)
  return true
end
