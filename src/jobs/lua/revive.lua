-- Shared by the scripts that give jobs another chance.

-- Puts a job that has ended back into its line, at the place that it had, with all its attempts before it.
local function revive(r, id)
  take_out(r, id)
  r.state, r.ended_by, r.token, r.since, r.attempts = 'r', '-', NO_TOKEN, now_text, 0
  if r.unique ~= '' then call('HSETNX', UNIQUE, r.unique, '0 ' .. id) end
  call('HSET', RUNS, id, written(r))
  make_ready(r.number, r.place, id)
  count('revived', 1)
  note('revived', id)
end
