// The store of a single process: for tests, and as the model of every other store.
//
//   one exchange, in this order
//   1. now: never going back.  No group: create one that opens after the grace.  Other epoch: "rebuild".  Old turn: "stale"
//   2. expire dead processes: what they held of windows counts as used now, places are free.  If this process or all others
//      have expired: grace
//   3. drop usage that no longer counts; add the batch, unless it was counted; held := as stated
//   4. free = limit - used - held.  Processes that wait for longer are ahead: this one gets what they leave, and its own spare
//      amount always.  During the grace nothing is free
//   5. wants, in order, each call in all quotas or in none.  A call that is not served leaves what it needs to no call behind
//   6. ahead: at most (what is left) / (2 x processes)
//   7. not served: the process waits, and asks again when its first call fits by time, or after 10 to 160 ms
//
// Regimes: the wants of a process count for others until its next message is overdue by a second.

import type { Clock } from "../api/clock.ts";
import type {
  SharedStore,
  StoreAnswer,
  StoreContract,
  StoreFact,
  StoreMessage,
  StoreQuota,
  StoreWant,
} from "../api/store.ts";
import { RealClock } from "../clock/real-clock.ts";
import { sharedStore } from "../fleet/shared-store.ts";
import { UsageBuckets } from "./usage-buckets.ts";

const GRACE_MS = 500;
/** Time that is added to the silence after which a process is dead, and to the time in which it asks again. */
const SLACK_MS = 1_000;
const MOST_EXPIRED = 20;
const MOST_AHEAD = 16;
const SHORTEST_RETRY_MS = 10;
const LONGEST_POLL_MS = 160;
const LONGEST_RETRY_MS = 60_000;

interface Process {
  turn: number;
  ledger: number;
  expiresAt: number;
  /** Held amounts by quota. */
  held: ReadonlyMap<string, number>;
  /** Calls that wait, by quota the amount that they need. */
  wanted: ReadonlyMap<string, number>;
  /** Since when it waits; Infinity: it does not. */
  waitsSince: number;
  waitsUntil: number;
  /** Number of times in a row that it was not served. */
  polls: number;
}

interface Group {
  readonly epoch: string;
  openAt: number;
  readonly processes: Map<string, Process>;
  readonly usage: Map<string, UsageBuckets>;
  readonly facts: Map<string, StoreFact & { readonly until: number }>;
  readonly watchers: Set<() => void>;
}

/** A store in memory. */
export class MemoryStore implements StoreContract {
  readonly #clock: Clock;
  readonly #groups = new Map<string, Group>();
  #now = 0;
  #epochs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Loses everything, as a server that comes back empty. */
  clear(): void {
    this.#groups.clear();
  }

  async exchange(name: string, message: StoreMessage): Promise<StoreAnswer> {
    this.#now = Math.max(this.#now, Math.floor(this.#clock.now()));
    const now = this.#now;
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = newGroup(`${++this.#epochs}-${Math.random().toString(36).slice(2)}`, now + GRACE_MS);
      this.#groups.set(name, group);
    }
    if (message.epoch !== null && message.epoch !== group.epoch) return { status: "rebuild", epoch: group.epoch };
    const known = group.processes.get(message.process);
    if (known !== undefined && message.turn <= known.turn) return { status: "stale" };
    expire(group, message.process, now);
    const before = group.processes.get(message.process);
    // It was a process of this group before, so that it has expired.
    if (before === undefined && message.epoch !== null && !message.isLeaving) group.openAt = now + GRACE_MS;
    return accept(group, message, before, now);
  }

  watch(name: string, changed: () => void): () => void {
    const watchers = this.#groups.get(name)?.watchers;
    watchers?.add(changed);
    return () => watchers?.delete(changed);
  }
}

/**
 * A store that shares limits between limiters of one process: for tests. `clock`: the clock of its time, default the one of
 * the runtime.
 */
export function memoryStore(clock: Clock = new RealClock()): SharedStore {
  return sharedStore(new MemoryStore(clock));
}

function newGroup(epoch: string, openAt: number): Group {
  return { epoch, openAt, processes: new Map(), usage: new Map(), facts: new Map(), watchers: new Set() };
}

function expire(group: Group, name: string, now: number): void {
  let expired = 0;
  let isOwn = false;
  for (const [id, { expiresAt, held }] of group.processes) {
    if (now < expiresAt || expired === MOST_EXPIRED) continue;
    expired++;
    isOwn ||= id === name;
    group.processes.delete(id);
    for (const [quota, amount] of held) group.usage.get(quota)?.add([[0, amount]], now);
  }
  const others = group.processes.size - (group.processes.has(name) ? 1 : 0);
  if (isOwn || (expired > 0 && others === 0)) group.openAt = now + GRACE_MS;
}

function accept(group: Group, message: StoreMessage, before: Process | undefined, now: number): StoreAnswer {
  const { quotas, wants, ledger } = message;
  const isNew = before === undefined || ledger > before.ledger;
  for (const quota of quotas) {
    if (quota.kind === "places") continue;
    let usage = group.usage.get(quota.id);
    if (usage === undefined) {
      usage = new UsageBuckets(quota);
      group.usage.set(quota.id, usage);
    }
    usage.update(quota, now);
    if (isNew) usage.add(quota.used, now);
  }
  const process: Process = {
    turn: message.turn,
    ledger: Math.max(ledger, before?.ledger ?? 0),
    expiresAt: now + message.ttlMs + SLACK_MS,
    held: new Map(quotas.map(({ id, held }) => [id, held])),
    wanted: new Map(),
    waitsSince: before?.waitsSince ?? Infinity,
    waitsUntil: 0,
    polls: before?.polls ?? 0,
  };
  group.processes.set(message.process, process);
  noteFacts(group, message.facts, now);

  const others = [...group.processes.values()].filter((each) => each !== process);
  const waiting = others.filter(({ waitsSince, waitsUntil }) => waitsSince < Infinity && now < waitsUntil);
  const ahead = waiting
    .filter(({ waitsSince }) => waitsSince < process.waitsSince)
    .sort((a, b) => a.waitsSince - b.waitsSince)
    .slice(0, MOST_AHEAD);
  const used = quotas.map(({ id }) => group.usage.get(id)?.used ?? 0);
  const held = quotas.map(({ id }) => sumOf(group.processes.values(), (each) => each.held.get(id)));
  const left = quotas.map(({ id, limit }, index) => {
    const free = now < group.openAt ? 0 : limit - used[index]! - held[index]!;
    return Math.max(0, free - sumOf(ahead, (each) => each.wanted.get(id)));
  });
  const { served, granted } = serve(quotas, wants, left);
  const isShort = wants.some(({ count }, index) => served[index]! < count);
  if (now >= group.openAt && !isShort) {
    for (const [index, quota] of quotas.entries()) {
      const most = Math.floor(left[index]! / (2 * group.processes.size));
      if (quota.kind !== "places") granted[index]! += Math.max(0, Math.min(quota.ahead, most));
    }
  }
  process.held = new Map(quotas.map(({ id, held }, index) => [id, held + granted[index]!]));
  let retryInMs = 0;
  if (isShort) {
    process.polls++;
    process.wanted = wantedOf(quotas, wants, served);
    if (process.waitsSince === Infinity) process.waitsSince = now;
    retryInMs = retryOf(group, message, served, used, held, granted, process.polls, now);
    process.waitsUntil = now + retryInMs + SLACK_MS;
  } else {
    process.polls = 0;
    process.waitsSince = Infinity;
  }
  const hasReturned = quotas.some(({ id, held }) => held < (before?.held.get(id) ?? 0));
  if (message.isLeaving) group.processes.delete(message.process);
  if (hasReturned && waiting.length > 0) for (const changed of group.watchers) changed();
  return {
    status: "ok",
    epoch: group.epoch,
    processes: others.length + 1,
    othersWait: waiting.length > 0,
    knownLedger: before?.ledger ?? null,
    quotas: quotas.map((_, i) => ({ granted: granted[i]!, used: used[i]!, held: held[i]! + granted[i]! })),
    served,
    retryInMs,
    facts: [...group.facts.values()].map(({ until, ...fact }) => ({ ...fact, forMs: until - now })),
  };
}

/** Serves wants from the spare amounts and from what is left, which it lowers. */
function serve(
  quotas: readonly StoreQuota[],
  wants: readonly StoreWant[],
  left: number[],
): { served: number[]; granted: number[] } {
  const spare = quotas.map((quota) => quota.spare);
  const granted = quotas.map(() => 0);
  const served = wants.map(({ needs, count }) => {
    let calls = count;
    for (const [quota, need] of needs) {
      if (need > 0) calls = Math.min(calls, Math.floor((spare[quota]! + left[quota]!) / need));
    }
    for (const [quota, need] of needs) {
      const own = Math.min(spare[quota]!, need * calls);
      spare[quota]! -= own;
      left[quota]! -= need * calls - own;
      granted[quota]! += need * calls - own;
      if (calls === count) continue;
      // What the others of them need is left to no call behind.
      const rest = need * (count - calls);
      const kept = Math.min(spare[quota]!, rest);
      spare[quota]! -= kept;
      left[quota]! = Math.max(0, left[quota]! - (rest - kept));
    }
    return calls;
  });
  return { served, granted };
}

function wantedOf(
  quotas: readonly StoreQuota[],
  wants: readonly StoreWant[],
  served: readonly number[],
): ReadonlyMap<string, number> {
  const wanted = new Map<string, number>();
  for (const [index, { needs, count }] of wants.entries()) {
    for (const [quota, need] of needs) {
      const { id } = quotas[quota]!;
      wanted.set(id, (wanted.get(id) ?? 0) + need * (count - served[index]!));
    }
  }
  return wanted;
}

/** Time after which the first call that was not served fits by time alone, as far as that is known. */
function retryOf(
  group: Group,
  { quotas, wants }: StoreMessage,
  served: readonly number[],
  used: readonly number[],
  held: readonly number[],
  granted: readonly number[],
  polls: number,
  now: number,
): number {
  const pollMs = Math.min(LONGEST_POLL_MS, SHORTEST_RETRY_MS * 2 ** Math.min(polls - 1, 4));
  if (now < group.openAt) return Math.max(SHORTEST_RETRY_MS, group.openAt - now);
  const first = wants.find(({ count }, index) => served[index]! < count)!;
  let retryInMs = 0;
  for (const [index, need] of first.needs) {
    const { id, limit, spare } = quotas[index]!;
    const missing = need - Math.max(0, limit - used[index]! - held[index]! - granted[index]!) - spare;
    if (missing <= 0) continue;
    const at = group.usage.get(id)?.releaseAt(missing) ?? Infinity;
    // Without a known instant something has to be returned.
    retryInMs = Math.max(retryInMs, at < Infinity ? at - now : pollMs);
  }
  return Math.min(LONGEST_RETRY_MS, Math.max(SHORTEST_RETRY_MS, retryInMs === 0 ? pollMs : retryInMs));
}

function noteFacts(group: Group, facts: readonly StoreFact[], now: number): void {
  for (const [key, { until }] of group.facts) if (until <= now) group.facts.delete(key);
  for (const fact of facts) {
    const before = group.facts.get(fact.key);
    const until = now + fact.forMs;
    const isNewer =
      before === undefined ||
      fact.revision > before.revision ||
      (fact.revision === before.revision && until > before.until);
    if (isNewer) group.facts.set(fact.key, { ...fact, until });
  }
}

function sumOf(processes: Iterable<Process>, amountOf: (process: Process) => number | undefined): number {
  let sum = 0;
  for (const process of processes) sum += amountOf(process) ?? 0;
  return sum;
}
