-- Shared by scripts that end leases: the numbers of the types that jobs continue as.

-- Returns the numbers by name, or nil and the answer of the script if there is no room for a type. Types are numbered for valid leases
-- only, because a type keeps its number forever.
local function number_new_types(renamed, ids, tokens, hows)
  local asked, names, numbers_of = {}, {}, {}
  for k, i in ipairs(renamed) do
    asked[k] = ids[i]
  end
  local runs, ends = call('HMGET', RUNS, unpack(asked)), call('ZMSCORE', LEASED, unpack(asked))
  local TOKEN, TOKEN_END = 3, 18
  for k, i in ipairs(renamed) do
    local run, name = runs[k], match(hows[i], '^t%d+ ([^\n]+)\n')
    local holds = run and sub(run, 1, 1) == 'l' and sub(run, TOKEN, TOKEN_END) == tokens[i] and tonumber(ends[k] or math.huge) > now
    if holds and not numbers_of[name] then
      numbers_of[name] = true
      names[#names + 1] = name
    end
  end
  if #names == 0 then return numbers_of end
  local numbers, lacking, new, all_types = number_types(names)
  if not numbers then return nil, lacking == 0 and { 'full' } or { 'types', lacking } end
  remember_types(new, all_types)
  for i, name in ipairs(names) do
    numbers_of[name] = numbers[i]
  end
  return numbers_of
end
