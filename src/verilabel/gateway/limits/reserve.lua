-- Reserves from counters: for each request of a batch all of its charges are taken, or none.
--
-- KEYS[1] is the store's epoch, KEYS[2..] are the counters that the batch names, each once.
-- ARGV[1] is MessagePack: a list of requests {token, {charge, ...}} with
--   charge = {key index, kind, taken, amount, window in microseconds, burst, lease in microseconds}
--   kind 1 rate, 2 day, 3 month, 4 slots at once.
-- Gives MessagePack: {epoch, now in microseconds, {{took (1 or 0), {remaining, reset, wait, ...}}, ...}}; times in
--   microseconds; a wait is 0 (fits), -1 (never: larger than the limit) or -2 (not known).
--
-- A rate is kept as level and time of last change: GCRA as the continuous-state leaky bucket, which decides as
-- virtual scheduling does (ATM Forum, Traffic Management Specification 4.0, section 4.4.2). A clock that goes back
-- therefore delays nobody. Everything that is written expires when it is equal to no counter.

local HOUR_US = 3600 * 1e6
local DAY_S = 86400

local clock = redis.call('TIME')
local now_s = tonumber(clock[1])
local now = now_s * 1e6 + tonumber(clock[2])

local epoch = redis.call('GET', KEYS[1])
if not epoch then
  epoch = clock[1] .. '-' .. clock[2]
  redis.call('SET', KEYS[1], epoch, 'PX', 40 * DAY_S * 1000)
end

-- days to and from the civil calendar: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"
local function month_of(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return yoe + era * 400 + (month <= 2 and 1 or 0), month
end

local function first_of(year, month)
  if month > 12 then year, month = year + 1, 1 end
  local y = month <= 2 and year - 1 or year
  local era = math.floor(y / 400)
  local yoe = y - era * 400
  local doy = math.floor((153 * (month > 2 and month - 3 or month + 9) + 2) / 5)
  local doe = yoe * 365 + math.floor(yoe / 4) - math.floor(yoe / 100) + doy
  return (era * 146097 + doe - 719468) * DAY_S * 1e6
end

local today = math.floor(now_s / DAY_S)
local spans = {[2] = {today * DAY_S * 1e6, (today + 1) * DAY_S * 1e6}}
do
  local year, month = month_of(today)
  spans[3] = {first_of(year, month), first_of(year, month + 1)}
end

local counters = {}

local function rate(key, charge)
  local amount, window = charge[4], charge[5]
  local level = 0
  local kept = redis.call('GET', key)
  if kept then
    local last
    level, last = string.match(kept, '^(%S+) (%S+)$')
    level = math.max(0, tonumber(level) - math.max(0, now - tonumber(last)) * amount / window)
  end
  return {kind = 1, level = level, unit = window / amount}
end

local function budget(key, kind)
  local begin, finish = spans[kind][1], spans[kind][2]
  local used = 0
  local kept = redis.call('GET', key)
  if kept then
    local began, spent = string.match(kept, '^(%S+) (%S+)$')
    began = tonumber(began)
    if began > now and began - now <= HOUR_US then
      -- the clock went back a little: the period that had begun goes on
      begin = began
      if kind == 2 then finish = began + DAY_S * 1e6 else
        local year, month = month_of(math.floor(began / 1e6 / DAY_S))
        finish = first_of(year, month + 1)
      end
    end
    if began >= begin then used = tonumber(spent) end
  end
  return {kind = kind, level = used, begin = begin, finish = finish}
end

local function slots(key)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  return {kind = 4, level = redis.call('ZCARD', key), added = {}}
end

local function counter_of(charge)
  local key = KEYS[charge[1]]
  local counter = counters[key]
  if not counter then
    local kind = charge[2]
    if kind == 1 then counter = rate(key, charge)
    elseif kind == 4 then counter = slots(key)
    else counter = budget(key, kind) end
    counters[key] = counter
  end
  return counter
end

local SLACK = 1e-6

local function ceiling(charge)
  if charge[2] == 1 then return charge[6] end
  return charge[4]
end

local function reset_of(counter)
  if counter.kind == 1 then return math.ceil(counter.level * counter.unit) end
  if counter.kind == 4 then return 0 end
  return counter.finish - now
end

local function wait_of(counter, charge)
  local over = counter.level + charge[3] - ceiling(charge)
  if charge[3] > ceiling(charge) then return -1 end
  if over <= SLACK then return 0 end
  if counter.kind == 1 then return math.ceil(over * counter.unit) end
  if counter.kind == 4 then return -2 end
  return counter.finish - now
end

local function standing(answer, counter, charge, wait)
  answer[#answer + 1] = math.max(0, math.floor(ceiling(charge) - counter.level + SLACK))
  answer[#answer + 1] = reset_of(counter)
  answer[#answer + 1] = wait
end

local function reserve(token, charges)
  local answer = {}
  local taken = 0
  for i, charge in ipairs(charges) do
    local counter = counter_of(charge)
    if wait_of(counter, charge) ~= 0 then break end
    counter.level = counter.level + charge[3]
    taken = i
  end
  if taken == #charges then
    for _, charge in ipairs(charges) do
      local counter = counter_of(charge)
      counter.dirty = true
      if counter.kind == 4 then
        counter.lease = charge[7]
        counter.added[#counter.added + 1] = now + charge[7]
        counter.added[#counter.added + 1] = token
      end
      standing(answer, counter, charge, 0)
    end
    return {1, answer}
  end
  for i = 1, taken do
    local counter = counter_of(charges[i])
    counter.level = counter.level - charges[i][3]
  end
  for _, charge in ipairs(charges) do
    local counter = counter_of(charge)
    standing(answer, counter, charge, wait_of(counter, charge))
  end
  return {0, answer}
end

local answers = {}
for i, request in ipairs(cmsgpack.unpack(ARGV[1])) do
  answers[i] = reserve(request[1], request[2])
end

for key, counter in pairs(counters) do
  if counter.dirty then
    if counter.kind == 1 then
      redis.call('SET', key, string.format('%.17g %.0f', counter.level, now),
        'PX', string.format('%.0f', reset_of(counter) / 1000 + 1000))
    elseif counter.kind == 4 then
      redis.call('ZADD', key, unpack(counter.added))
      redis.call('PEXPIRE', key, string.format('%.0f', counter.lease / 1000 + 1000))
    else
      redis.call('SET', key, string.format('%.0f %.0f', counter.begin, counter.level),
        'PX', string.format('%.0f', (counter.finish - now + HOUR_US) / 1000))
    end
  end
end

return cmsgpack.pack({epoch, now, answers})
