-- find: returns a job. Read-only.
-- KEYS[1..]  the keys of the queue, in the order of queue.lua
-- ARGV[1]    short id
-- Returns one of:
--   {'ok', state, spec, run, when}  run is '' if there is none; when the job is due, its lease expires or it is deleted, 0 for never
--   {'ok'}  there is no such job
--   {'types', n}  the queue has n types: nothing is done, and the caller must pass the keys of n types
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
