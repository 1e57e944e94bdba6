/** Reads the message and the state, answers repeated and overtaken messages, and expires dead processes. */
export const OPENING: string = `
local GRACE, SLACK, RESOLUTION, DAY = 500, 1000, 512, 86400000
local call, floor, ceil, max, min = redis.call, math.floor, math.ceil, math.max, math.min
local function num(x) return string.format('%.0f', x) end
local m = cjson.decode(ARGV[1])
local me, turn, ledger, epoch, ttl, leaving = m[1], m[2], m[3], m[4], m[5], m[6] == 1
local quotas, wants, facts = m[7], m[8], m[9]
local STATE, DEATHS, QUEUE, FACTS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + floor(tonumber(time[2]) / 1000)
local fields = {'epoch', 'now', 'open', 'living', 'records', 'ticket', 'p:' .. me, 'w:' .. me}
for i = 1, #quotas do fields[8 + i] = 'q:' .. quotas[i][1] end
local s = call('HMGET', STATE, unpack(fields))
local isNewGroup = not s[1]
local open, living, records, tickets = 0, 0, 0, 0
local write = {}
local function put(field, value) write[#write + 1] = field; write[#write + 1] = value end

-- Quotas by name, read when they are needed.
local Q, order = {}, {}
local function parsed(id, text)
  local q = text and cjson.decode(text) or {0, 0, 0, 0, 0, 0, 0, 0, 0}
  Q[id] = q
  order[#order + 1] = id
  return q
end
local function quotaOf(id) return Q[id] or parsed(id, call('HGET', STATE, 'q:' .. id)) end

if not isNewGroup then
  now = max(now, tonumber(s[2]))
  open, living, records, tickets = tonumber(s[3]), tonumber(s[4]), tonumber(s[5]), tonumber(s[6])
  for i = 1, #quotas do
    local q = parsed(quotas[i][1], s[8 + i])
    if q[1] > 0 and call('EXISTS', KEYS[4 + i]) == 0 then
      if q[9] + q[4] <= now then q[1], q[8], q[9] = 0, 0, 0 else isNewGroup = true end
    end
  end
  if call('ZCARD', DEATHS) ~= records then isNewGroup = true end
end
if isNewGroup then
  call('DEL', unpack(KEYS))
  s = {'e' .. time[1] .. '-' .. time[2] .. '-' .. me}
  open, living, records, tickets = now + GRACE, 0, 0, 0
  Q, order = {}, {}
  for i = 1, #quotas do parsed(quotas[i][1], false) end
end
if epoch ~= '' and epoch ~= s[1] then
  if isNewGroup then
    call('HSET', STATE, 'epoch', s[1], 'now', num(now), 'open', num(open), 'living', '0', 'records', '0', 'ticket', '0')
    call('PEXPIRE', STATE, num(30 * DAY))
  end
  return {'rebuild', s[1]}
end
local before = s[7] and cjson.decode(s[7]) or nil
if before and turn < before[1] then return {'stale'} end

-- The first processes of the queue without this one. Places that are overdue are lost.
local function othersInQueue()
  local others, ids = {}, call('ZRANGE', QUEUE, 0, 16)
  local names = {}
  for i = 1, #ids do if ids[i] ~= me then names[#names + 1] = 'w:' .. ids[i] end end
  if #names == 0 then return others end
  local texts = call('HMGET', STATE, unpack(names))
  local lost = {}
  for i = 1, #names do
    local w = texts[i] and cjson.decode(texts[i])
    if not w or w[2] <= now then lost[#lost + 1] = names[i]
    elseif #others < 16 then others[#others + 1] = w end
  end
  for i = 1, #lost do
    call('HDEL', STATE, lost[i])
    call('ZREM', QUEUE, string.sub(lost[i], 3))
  end
  return others
end

-- Facts that hold, as a flat list.
local function liveFacts()
  local all, live = call('HGETALL', FACTS), {}
  for i = 1, #all, 2 do
    local f = cjson.decode(all[i + 1])
    if f[3] <= now then call('HDEL', FACTS, all[i])
    else
      live[#live + 1] = {all[i], f[1], f[2], f[3]}
    end
  end
  return live
end

local function answer(record, others, live)
  local a = {'ok', s[1], max(1, living), #others > 0 and 1 or 0, record[6], 0, #quotas, #wants, #live}
  if record[7] > 0 then a[6] = max(10, record[7] - now) end
  for i = 1, #quotas do
    local q = quotaOf(quotas[i][1])
    a[#a + 1], a[#a + 2], a[#a + 3] = record[9][i] or 0, q[1], q[2]
  end
  for i = 1, #wants do a[#a + 1] = record[8][i] or 0 end
  for i = 1, #live do
    local f = live[i]
    a[#a + 1], a[#a + 2], a[#a + 3], a[#a + 4] = '=' .. f[1], '=' .. f[2], f[3], f[4] - now
  end
  return a
end
if leaving then wants = {} end
if before and turn == before[1] then return answer(before, othersInQueue(), liveFacts()) end

-- Dead processes.
local dead = call('ZRANGEBYSCORE', DEATHS, '-inf', num(now), 'LIMIT', 0, 20)
local hasHeld = false
if #dead > 0 then
  local names = {}
  for i = 1, #dead do names[i] = 'p:' .. dead[i] end
  local texts = call('HMGET', STATE, unpack(names))
  for i = 1, #dead do
    local p = cjson.decode(texts[i])
    if p[4] == 0 then living = living - 1 end
    for id, amount in pairs(p[10]) do
      hasHeld = true
      local q = quotaOf(id)
      q[2] = q[2] - amount
      if q[4] > 0 then q[3] = q[3] + amount end
    end
    names[#names + 1] = 'w:' .. dead[i]
    if dead[i] == me then before, s[8] = nil, false end
  end
  call('HDEL', STATE, unpack(names))
  call('ZREM', DEATHS, unpack(dead))
  call('ZREM', QUEUE, unpack(dead))
  records = records - #dead
end
if not before then
  local isReturning = false
  if epoch ~= '' and not leaving then
    for i = 1, #quotas do isReturning = isReturning or quotas[i][6] > 0 or #quotas[i][9] > 0 end
  end
  if isReturning or (hasHeld and living == 0) then open = now + GRACE end
end

`;
