-- versions: reads the versions of namespaces and tags, creates missing ones, and extends their TTL.
-- KEYS[1..] versions
-- ARGV[1] maximum TTL of an entry that depends on them, ms
-- ARGV[2..] a nonce for each, used if it is missing
-- Returns {now, versions ...}: the clock of Redis, ms; each version has 24 bytes: nonce, creation time, and the time up to which
-- computations are outdated (0 for none), both in ms.
-- Repeatable: an existing version stays.
-- The length of a version, and where the time begins up to which computations are outdated.
local VERSION_BYTES, OUTDATED = 24, 17
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local life, BEHIND_MS = tonumber(ARGV[1]), 1000
local versions = { now }
for i, key in ipairs(KEYS) do
  -- A key of another type is an error here, and is overwritten. So is a version whose time is ahead of the clock, because the clock was
  -- set back since: it would outdate every entry until then, and a new nonce outdates no less.
  local version = redis.pcall('GET', key)
  if type(version) ~= 'string' or #version ~= VERSION_BYTES or struct.unpack('>I8', version, OUTDATED) > now + BEHIND_MS then
    version = ARGV[i + 1] .. struct.pack('>I8I8', now, 0)
    redis.call('SET', key, version, 'PX', 2 * life)
  elseif redis.call('PTTL', key) < life then
    -- Twice as long as necessary, so that the next call need not extend it.
    redis.call('PEXPIRE', key, 2 * life)
  end
  versions[i + 1] = version
end
return versions
