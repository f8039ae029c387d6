-- Shared by scripts that reclaim expired leases.

-- Reclaims the expired leases of `ids`; `most` is the limit of one call. Each is a failed attempt: the job is retried after its backoff, is
-- dead after its last attempt, or is cancelled if another job has taken its key. Returns whether there may be more.
local function reclaim(ids, most)
  local specs, n = within(SPECS, ids)
  local behind = n < #ids or n == most
  for i = #ids, n + 1, -1 do
    ids[i] = nil
  end
  local runs = call('HMGET', RUNS, unpack(ids))
  call('ZREM', LEASED, unpack(ids))
  local died, cancelled = false, false
  for i, id in ipairs(ids) do
    if runs[i] and specs[i] then
      local r = read(runs[i], specs[i])
      r.token, r.ended_by = NO_TOKEN, '-'
      add_error(r, '"the lease expired"')
      if r.attempts >= r.most then
        die(r, id)
        died = true
      elseif has_lost_key(r) then
        end_cancelled(r, id)
        cancelled = true
      else
        -- Redis seeds `math.random` equally in each call.
        try_again(r, id, backoff_ms(r, (time[2] + 389 * i) % 1000))
      end
    end
  end
  if died then forget(DEAD, most_dead, 2 * most) end
  if cancelled then forget(CANCELLED, most_done, 2 * most) end
  count('lost', #ids)
  note_all('lost', ids)
  return behind
end
