-- Shared by the scripts that change an item only if it has an expected version.
-- `expected` is '' for no condition, '*' if the item has to exist, else the versions, separated by spaces; 0 means that it does not exist.
local function is_expected(expected, version)
  if expected == '' then return true end
  if expected == '*' then return version > 0 end
  return find(' ' .. expected .. ' ', format(' %d ', version), 1, true) ~= nil
end

