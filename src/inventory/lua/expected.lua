-- Shared by the scripts that change an item only if it has an expected version: '' for any and none, '*' for any, else the versions
-- with a space between them; 0 is that there is no item.
local function is_expected(expected, version)
  if expected == '' then return true end
  if expected == '*' then return version > 0 end
  return find(' ' .. expected .. ' ', format(' %d ', version), 1, true) ~= nil
end

