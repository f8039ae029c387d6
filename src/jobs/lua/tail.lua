-- Shared by scripts that write the progress, the result or the errors of a job.

-- Returns the progress, the result and the errors of a tail.
local function parts(tail)
  local progress, result, errors = match(tail, '^\n([^\n]*)\n([^\n]*)(.*)$')
  return progress or '', result or '', errors or ''
end
