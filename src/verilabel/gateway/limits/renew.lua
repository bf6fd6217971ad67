-- Renews the leases of slots that requests in flight hold, also in a store that was emptied since.
--
-- KEYS[i] is the counter of the slot ARGV[i + 1]; ARGV[1] is the lease in milliseconds.
local clock = redis.call('TIME')
local until_us = tonumber(clock[1]) * 1e6 + tonumber(clock[2]) + tonumber(ARGV[1]) * 1000
for i, key in ipairs(KEYS) do
  redis.call('ZADD', key, string.format('%.0f', until_us), ARGV[i + 1])
  redis.call('PEXPIRE', key, ARGV[1] + 1000)
end
return #KEYS
