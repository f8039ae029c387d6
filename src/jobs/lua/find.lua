-- find: a job as it is.
-- KEYS[1..]  the queue, as queue.lua names it
-- ARGV[1]    short id
-- Returns {'ok', state, spec, run, when}: '' for a run that there is not, when it is due, its lease ends or it is forgotten, 0
-- for none; {'ok'} if there is no such job; {'types', n} as lease.lua.
-- Repeatable: it only reads.
if unknown then return { 'types', types } end
local id = ARGV[1]
local spec = call('HGET', SPECS, id)
if not spec then return { 'ok' } end
local run = call('HGET', RUNS, id)
local state = run and sub(run, 1, 1) or 'r'
local places = { w = DELAYED, l = LEASED, d = DONE, x = DEAD, c = CANCELLED }
local when = places[state] and call('ZSCORE', places[state], id)
return { 'ok', state, spec, run or '', tonumber(when or 0) }
