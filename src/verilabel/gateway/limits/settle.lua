-- Settles reservations: gives back what was not used, takes what was used beyond, and ends slots.
--
-- KEYS[1] is the store's epoch; then for each reservation its marker and its counters, as ARGV[1] numbers them.
-- ARGV[1] is MessagePack: a list of {epoch, token, marker index, at in microseconds, {charge, ...}} with
--   charge = {key index, kind, taken, amount, window in microseconds, burst, used, reset in microseconds}
--   `at` and `reset` as the reservation gave them; kinds as in reserve.lua.
-- A reservation is settled once (its marker stays for as long as settling is tried again), and only in the store
-- that took it: after a store was emptied, nothing is given back that the new one never took.

local MARKER_MS = 600 * 1000
local MAX_DEBT_US = 86400 * 1e6
local HOUR_US = 3600 * 1e6

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1e6 + tonumber(clock[2])
local epoch = redis.call('GET', KEYS[1])

local function settle_rate(key, charge, at)
  local taken, amount, window, burst, used, reset = charge[3], charge[4], charge[5], charge[6], charge[7], charge[8]
  local level, last = 0, now
  local kept = redis.call('GET', key)
  if kept then
    level, last = string.match(kept, '^(%S+) (%S+)$')
    level = math.max(0, tonumber(level) - math.max(0, now - tonumber(last)) * amount / window)
  end
  if used > taken then
    level = math.min(level + used - taken, burst + MAX_DEBT_US * amount / window)
  else
    -- what has flowed off since is not given back: it would be saved up beyond the burst
    local left = math.max(0, reset - math.max(0, now - at)) * amount / window
    level = math.max(0, level - math.min(taken - used, left))
  end
  if level > 0 then
    redis.call('SET', key, string.format('%.17g %.0f', level, now),
      'PX', string.format('%.0f', math.ceil(level * window / amount) / 1000 + 1000))
  else
    redis.call('DEL', key)
  end
end

local function settle_budget(key, charge, at)
  local kept = redis.call('GET', key)
  if not kept then return end
  local began, spent = string.match(kept, '^(%S+) (%S+)$')
  -- `reset` ends the period in which it was reserved; a later one owes nothing for it
  local finish = at + charge[8]
  if tonumber(began) >= finish - 1 then return end
  local left = redis.call('PTTL', key)
  redis.call('SET', key, string.format('%s %.0f', began, math.max(0, tonumber(spent) + charge[7] - charge[3])),
    'PX', string.format('%.0f', math.max(left, 1)))
end

for _, reservation in ipairs(cmsgpack.unpack(ARGV[1])) do
  local charges = reservation[5]
  local is_new = reservation[3] == 0
    or redis.call('SET', KEYS[reservation[3]], 1, 'NX', 'PX', string.format('%.0f', MARKER_MS))
  for _, charge in ipairs(charges) do
    local key = KEYS[charge[1]]
    if charge[2] == 4 then
      redis.call('ZREM', key, reservation[2])
    elseif is_new and epoch and epoch == reservation[1] then
      if charge[2] == 1 then
        settle_rate(key, charge, reservation[4])
      else
        settle_budget(key, charge, reservation[4])
      end
    end
  end
end
return redis.status_reply('OK')
