// One exchange as a Lua script, in the order of store/memory-store.ts, which is its model: a test compares them answer by
// answer. Its work is bounded: 20 dead processes, 16 processes of the queue, 128 buckets of one log.
//
//   KEYS   1 state (hash)   2 processes by the instant of their death   3 queue by ticket   4 facts (hash)
//          from 5 on: the log of each quota of the message, in their order; members "end:amount" by end
//   ARGV   1 message (JSON, see encode-message.ts)   2 channel of wake-ups, or ""
//   state  epoch, now, open: text and instants (ms)   living, records, ticket: counters
//          q:QUOTA = [used, held, inherited, window, resetFrom, resetBy, keptFrom, oldest, newest]
//          p:PROCESS = [turn, ledger, expiresAt, hasLeft, polls, knownLedger, retryAt, served, granted, held by quota]
//          w:PROCESS = [ticket, until, needs by quota]
//
// Numbers are doubles in Lua, so whole numbers are exact up to 2^53. They are written with "%.0f", because the default
// format has 14 digits. A log or the processes can be evicted: totals notice that, and a new epoch starts.

import { OPENING } from "./opening-lua.ts";
import { QUEUE } from "./queue-lua.ts";
import { USAGE } from "./usage-lua.ts";

const CLOSING = `
-- State.
local helds, grants = {}, {}
for i = 1, #quotas do
  local q, amount = quotaOf(quotas[i][1]), quotas[i][6] + granted[i]
  q[2] = q[2] + granted[i]
  if amount > 0 then helds[#helds + 1] = '"' .. quotas[i][1] .. '":' .. num(amount) end
  grants[i] = num(granted[i])
end
for i = 1, #order do
  local texts, q = {}, Q[order[i]]
  for j = 1, 9 do texts[j] = num(q[j]) end
  put('q:' .. order[i], '[' .. table.concat(texts, ',') .. ']')
end
local died = now + ttl + SLACK
put('p:' .. me, '[' .. num(turn) .. ',' .. num(max(ledger, knownLedger)) .. ',' .. num(died) .. ',' ..
  (leaving and '1' or '0') .. ',' .. polls .. ',' .. num(knownLedger) .. ',' .. num(retryAt) .. ',[' ..
  table.concat(served, ',') .. '],[' .. table.concat(grants, ',') .. '],{' .. table.concat(helds, ',') .. '}]')
if not before then records = records + 1 end
put('epoch', s[1])
put('now', num(now))
put('open', num(open))
put('living', num(living))
put('records', num(records))
put('ticket', num(tickets))
call('HSET', STATE, unpack(write))
call('ZADD', DEATHS, num(died), me)
local metaMs, logMs = num(max(30 * DAY, longest + DAY)), num(longest + DAY)
call('PEXPIRE', STATE, metaMs)
call('PEXPIRE', DEATHS, metaMs)
call('PEXPIRE', QUEUE, metaMs)
for i = 1, #quotas do if quotas[i][2] ~= 2 then call('PEXPIRE', KEYS[4 + i], logMs) end end
if hasReturned and #others > 0 and ARGV[2] ~= '' then call('PUBLISH', ARGV[2], '1') end
return answer({0, 0, 0, 0, 0, knownLedger, retryAt, served, grants}, others, live)
`;

/** The script. Requires Redis 6.2 or Valkey 7.2. */
export const SCRIPT: string = OPENING + USAGE + QUEUE + CLOSING;

/** SHA-1 of the script, by which servers name it. */
export const SCRIPT_SHA = "015df659cea2b6c0d938f5885c7e5dad084579b6";
