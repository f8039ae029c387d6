-- Shared by the scripts that publish. In a cluster the channel is sharded: its name has a hash tag, that of the keys.
local function publish(channel, message)
  local verb = string.find(channel, '{', 1, true) and 'SPUBLISH' or 'PUBLISH'
  redis.call(verb, channel, message)
end

