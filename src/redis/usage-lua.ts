/** Drops usage that no longer counts, counts the batch, and notes what the process holds and the facts that it states. */
export const USAGE: string = `
-- Logs.
local function drop(q, key, to)
  local gone = call('ZRANGEBYSCORE', key, '-inf', to)
  if #gone == 0 then return end
  for i = 1, #gone do q[1] = q[1] - tonumber(string.match(gone[i], ':(.*)')) end
  call('ZREMRANGEBYSCORE', key, '-inf', to)
  local first = call('ZRANGE', key, 0, 0)[1]
  q[8] = first and tonumber(string.match(first, '^(.*):')) or 0
end
local function update(q, key, kind, window, resetIn)
  q[4] = q[1] == 0 and window or max(q[4], window)
  if kind == 1 then
    if q[6] > 0 and now >= q[6] then
      if q[8] > 0 and q[8] < q[5] then drop(q, key, '(' .. num(q[5])) end
      q[7], q[5], q[6] = q[5], 0, 0
    end
    local at = now + resetIn
    if q[6] == 0 then
      if q[7] > 0 and at - q[7] < window / 2 then at = at + window end
      q[5], q[6] = at, at
    elseif math.abs(at - q[6]) < window / 2 then
      q[5], q[6] = min(q[5], at), max(q[6], at)
    end
  elseif q[9] > 0 and q[9] <= now - q[4] then
    call('UNLINK', key)
    q[1], q[8], q[9] = 0, 0, 0
  elseif q[8] > 0 and q[8] <= now - q[4] then
    drop(q, key, num(now - q[4]))
  end
end
local function add(q, key, kind, window, usage)
  local bucket = max(1, ceil(window / RESOLUTION))
  local ends, amounts, from, to = {}, {}, math.huge, -math.huge
  for i = 1, #usage, 2 do
    local at = ceil((now - max(0, usage[i])) / bucket) * bucket
    if not ((kind == 1 and at < q[7]) or (kind ~= 1 and at <= now - q[4])) then
      ends[#ends + 1], amounts[#amounts + 1] = at, usage[i + 1]
      from, to = min(from, at), max(to, at)
    end
  end
  if #ends == 0 then return end
  local known, changed = {}, {}
  if q[1] > 0 and q[9] >= from - 2 * bucket then
    local members = call('ZRANGEBYSCORE', key, num(from - 2 * bucket), num(to))
    for i = 1, #members do
      local at, amount = string.match(members[i], '^(.*):(.*)$')
      known[tonumber(at)] = tonumber(amount)
    end
  end
  local sums = {}
  for at, amount in pairs(known) do sums[at] = amount end
  for i = 1, #ends do
    local at, amount = ends[i], amounts[i]
    if amount > 0 then
      sums[at] = (sums[at] or 0) + amount
      changed[at] = true
      q[1] = q[1] + amount
    else
      local rest = -amount
      for back = 0, 2 do
        local b = at - back * bucket
        local part = min(sums[b] or 0, rest)
        if part > 0 then
          sums[b], rest, q[1] = sums[b] - part, rest - part, q[1] - part
          changed[b] = true
        end
      end
    end
  end
  local rem, new = {}, {}
  for at in pairs(changed) do
    if sums[at] ~= known[at] then
      local text = num(at)
      if known[at] then rem[#rem + 1] = text .. ':' .. num(known[at]) end
      if sums[at] > 0 then
        new[#new + 1], new[#new + 2] = text, text .. ':' .. num(sums[at])
        q[8] = q[8] > 0 and min(q[8], at) or at
        q[9] = max(q[9], at)
      end
    end
  end
  for i = 1, #rem, 1000 do call('ZREM', key, unpack(rem, i, min(#rem, i + 999))) end
  for i = 1, #new, 1000 do call('ZADD', key, unpack(new, i, min(#new, i + 999))) end
end

local knownLedger = before and before[2] or -1
local isNew = ledger > max(0, knownLedger)
local hasReturned, longest, heldBefore = false, ttl, before and before[10] or {}
for i = 1, #quotas do
  local id, kind, _, window, resetIn, held, _, _, usage = unpack(quotas[i])
  local q, key = quotaOf(id), KEYS[4 + i]
  local usedBefore = q[1]
  if kind ~= 2 then
    update(q, key, kind, window, resetIn)
    longest = max(longest, q[4], resetIn)
    if q[3] > 0 then add(q, key, kind, window, {0, q[3]}) end
    q[3] = 0
    if isNew and #usage > 0 then add(q, key, kind, window, usage) end
  end
  if leaving then quotas[i][6], held = 0, 0 end
  q[2] = q[2] + held
  if held + max(0, q[1] - usedBefore) < (heldBefore[id] or 0) then hasReturned = true end
end
for id, amount in pairs(heldBefore) do
  local q = quotaOf(id)
  q[2] = q[2] - amount
end

-- Facts.
local live = liveFacts()
if #facts > 0 then
  local byKey, count = {}, #live
  for i = 1, count do byKey[live[i][1]] = live[i] end
  for i = 1, #facts do
    local key, value, revision, untilAt = facts[i][1], facts[i][2], facts[i][3], now + max(1, facts[i][4])
    local f = byKey[key]
    local isNewer
    if f then isNewer = revision > f[3] or (revision == f[3] and untilAt > f[4]) else isNewer = count < 256 end
    if isNewer then
      if not f then
        count = count + 1
        f = {}
        live[count], byKey[key] = f, f
      end
      f[1], f[2], f[3], f[4] = key, value, revision, untilAt
      call('HSET', FACTS, key, '["' .. value .. '",' .. num(revision) .. ',' .. num(untilAt) .. ']')
      call('PEXPIRE', FACTS, num(30 * DAY))
    end
  end
end

`;
