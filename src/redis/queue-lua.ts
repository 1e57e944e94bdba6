/** Serves the wants in the order of the queue, and finds when to ask again. */
export const QUEUE: string = `
-- Queue.
local others = othersInQueue()
local w = s[8] and cjson.decode(s[8])
local ticket = w and w[1] or math.huge
local isAlive = before and before[4] == 0
living = living + (leaving and 0 or 1) - (isAlive and 1 or 0)
local isOpen = now >= open
local ahead, behind, left, free, spare, granted, served = {}, {}, {}, {}, {}, {}, {}
for i = 1, #quotas do
  local id, q = quotas[i][1], quotaOf(quotas[i][1])
  ahead[i], behind[i] = 0, 0
  for j = 1, #others do
    local need = others[j][3][id]
    if need then
      if others[j][1] < ticket then ahead[i] = ahead[i] + need else behind[i] = behind[i] + need end
    end
  end
  free[i] = isOpen and quotas[i][3] - q[1] - q[2] or 0
  left[i] = max(0, free[i] - ahead[i])
  spare[i], granted[i] = quotas[i][7], 0
end
local first, lacks
for k = 1, #wants do
  local want = wants[k]
  local calls = want[1]
  for j = 2, #want, 2 do
    local i, need = want[j], want[j + 1]
    if need > 0 then calls = min(calls, floor((spare[i] + left[i]) / need)) end
  end
  for j = 2, #want, 2 do
    local i, amount = want[j], want[j + 1] * calls
    local own = min(spare[i], amount)
    spare[i], left[i], granted[i] = spare[i] - own, left[i] - (amount - own), granted[i] + amount - own
  end
  served[k] = calls
  if calls < want[1] then
    if not first then
      first, lacks = want, {}
      for j = 2, #want, 2 do lacks[j] = want[j + 1] - spare[want[j]] end
    end
    for j = 2, #want, 2 do
      local i, rest = want[j], want[j + 1] * (want[1] - calls)
      local kept = min(spare[i], rest)
      spare[i], left[i] = spare[i] - kept, max(0, left[i] - (rest - kept))
    end
  end
end
if isOpen and not leaving and not first then
  for i = 1, #quotas do
    local most = floor(max(0, left[i] - behind[i]) / (2 * living))
    if quotas[i][2] ~= 2 then granted[i] = granted[i] + max(0, min(quotas[i][8], most)) end
  end
end

-- Instant by which the first call that was not served fits by time alone, as far as its scarcest quota is known.
local function fitsAt()
  local scarcity, scarce, amount = 0, nil, 0
  for j = 2, #first, 2 do
    local i = first[j]
    local missing = lacks[j] + ahead[i] - (free[i] - granted[i])
    local share = missing / max(1, quotas[i][3])
    if missing > 0 and share > scarcity then scarcity, scarce, amount = share, i, missing end
  end
  if not scarce then return nil end
  local kind, q = quotas[scarce][2], quotaOf(quotas[scarce][1])
  if kind == 2 or q[1] == 0 then return nil end
  if kind == 1 then return q[6] end
  local released, at = 0, nil
  for from = 0, 96, 32 do
    local members = call('ZRANGE', KEYS[4 + scarce], from, from + 31)
    for i = 1, #members do
      local bucketEnd, part = string.match(members[i], '^(.*):(.*)$')
      released, at = released + tonumber(part), tonumber(bucketEnd) + q[4]
      if released >= amount then return at end
    end
    if #members < 32 then return at end
  end
  return at
end
local polls, retryAt = 0, 0
if first then
  local isGranted = false
  for i = 1, #quotas do isGranted = isGranted or granted[i] > 0 end
  polls = isGranted and 1 or min((before and before[5] or 0) + 1, 5)
  local at = open
  if isOpen then at = fitsAt() or now + 10 * 2 ^ (polls - 1) end
  retryAt = now + min(60000, max(10, at - now))
  if isGranted or not w then
    tickets = tickets + 1
    ticket = tickets
    call('ZADD', QUEUE, num(ticket), me)
  end
  local needs = {}
  for j = 2, #first, 2 do needs[#needs + 1] = '"' .. quotas[first[j]][1] .. '":' .. num(first[j + 1]) end
  put('w:' .. me, '[' .. num(ticket) .. ',' .. num(retryAt + SLACK) .. ',{' .. table.concat(needs, ',') .. '}]')
elseif w then
  call('HDEL', STATE, 'w:' .. me)
  call('ZREM', QUEUE, me)
end

`;
