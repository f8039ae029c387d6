-- Shared by scripts that store batches: merges their profile changes.

-- Returns the index after the last argument of a change.
local function change_end(at)
  at = at + 2 + 3 * tonumber(ARGV[at + 1])
  return at + 1 + 2 * tonumber(ARGV[at])
end

-- Merges m changes behind n fixes, and adds their results to the outcomes. Returns the profiles that changed.
local function merge_changes(n, m, ttl_ms, outcomes)
  local changed, now, at = {}, clock_ms(), 5 + 4 * n
  for i = 1, m do
    local fix, key = tonumber(ARGV[at]), KEYS[3 + n + i]
    local is_changed, left_out = merge_profile(key, at + 1, now, ttl_ms, false)
    if is_changed then changed[#changed + 1] = { fix = fix, key = key } end
    local outcome = tonumber(outcomes[fix]) + (is_changed and 2 or 0) + (left_out and 4 or 0)
    outcomes[fix] = tostring(outcome)
    at = change_end(at + 1)
  end
  return changed
end
