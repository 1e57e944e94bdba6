// The store of a single process: for tests, and as the model of every other store.
//
//   one exchange, in this order
//   1. now: never going back.  No group: create one that opens after the grace.  Other epoch: "rebuild".  Older turn:
//      "stale".  Same turn: the same answer again
//   2. expire dead processes, at most 20: their amounts of windows become usage, their places are free
//   3. drop usage that no longer counts; add the batch, unless it was counted before
//   4. held := as stated
//   5. free = limit - used - held; during the grace 0.  The first calls of processes that have waited for longer are ahead.
//      Wants in order, each call in all quotas or in none, from the spare amount and from what those ahead leave
//   6. ahead of need: at most (what all that wait leave) / (2 x processes), never places
//   7. a call was not served: the process joins the queue, and asks again when its first call fits by time, or after 10 to
//      160 ms
//
// Regimes: a process that was granted something and still waits goes to the end of the queue. Its place in the queue counts
// until its next message is overdue by a second. A process that leaves is remembered for its TTL, so that a late double of a
// message does not bring it back. Grace: a new group; an unknown process that knows the epoch and states usage or holds
// something, or one that finds only dead processes. A process that sends regularly needs no grace.

import type { SharedStore } from "grate-limiter";
import { type Clock, RealClock } from "grate-limiter";
import type { StoreAnswer, StoreContract, StoreMessage } from "../api/store.ts";
import { Facts } from "./facts.ts";
import { type Serving, serve } from "./serving.ts";
import { sharedStore } from "./shared-store.ts";
import { UsageBuckets } from "./usage-buckets.ts";

const GRACE_MS = 500;
/** Time that is added to the silence after which a process is dead, and to the time in which it asks again. */
const SLACK_MS = 1_000;
const MOST_EXPIRED = 20;
const MOST_AHEAD = 16;
const SHORTEST_RETRY_MS = 10;
const MOST_DOUBLINGS = 4;
const LONGEST_RETRY_MS = 60_000;

/** Place of a process in the queue. */
interface Waiting {
  readonly ticket: number;
  readonly until: number;
  /** Needs of its first call, by quota. */
  readonly needs: ReadonlyMap<string, number>;
}

interface Process {
  readonly id: string;
  readonly turn: number;
  readonly ledger: number;
  readonly expiresAt: number;
  readonly hasLeft: boolean;
  /** Held amounts by quota. */
  readonly held: ReadonlyMap<string, number>;
  /** Number of times in a row that nothing was granted to its waiting calls. */
  readonly polls: number;
  /** Parts of the latest answer, which a repeated message gets again. */
  readonly answer: Pick<Serving, "served" | "granted"> & { knownLedger: number | null; retryAt: number };
}

interface Group {
  readonly epoch: string;
  /** Instant of the latest exchange that changed something. */
  now: number;
  openAt: number;
  tickets: number;
  readonly processes: Map<string, Process>;
  readonly queue: Map<string, Waiting>;
  readonly quotas: Map<string, UsageBuckets>;
  readonly facts: Facts;
}

/** A store in memory. */
export class MemoryStore implements StoreContract {
  readonly #clock: Clock;
  readonly #groups = new Map<string, Group>();
  readonly #watchers = new Map<string, Set<() => void>>();
  #epochs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Loses everything, as a server that comes back empty. */
  clear(): void {
    this.#groups.clear();
  }

  async exchange(name: string, message: StoreMessage): Promise<StoreAnswer> {
    let group = this.#groups.get(name);
    const now = Math.max(group?.now ?? 0, Math.floor(this.#clock.now()));
    if (group === undefined) {
      const epoch = `e${++this.#epochs}-${Math.random().toString(36).slice(2)}`;
      const parts = { processes: new Map(), queue: new Map(), quotas: new Map(), facts: new Facts() };
      group = { epoch, now, openAt: now + GRACE_MS, tickets: 0, ...parts };
      this.#groups.set(name, group);
    }
    if (message.epoch !== null && message.epoch !== group.epoch) return { status: "rebuild", epoch: group.epoch };
    const known = group.processes.get(message.process);
    if (known !== undefined && message.turn < known.turn) return { status: "stale" };
    if (known !== undefined && message.turn === known.turn) return answerOf(group, message, known, now);
    group.now = now;
    expire(group, message, now);
    const { answer, hasReturned } = accept(group, message, now);
    if (hasReturned) for (const changed of this.#watchers.get(name) ?? []) changed();
    return answer;
  }

  watch(name: string, changed: () => void): () => void {
    let watchers = this.#watchers.get(name);
    if (watchers === undefined) {
      watchers = new Set();
      this.#watchers.set(name, watchers);
    }
    watchers.add(changed);
    return () => watchers.delete(changed);
  }
}

/**
 * A store that shares limits between limiters of one process: for tests. `clock`: the clock of its time, default the one of
 * the runtime.
 */
export function memoryStore(clock: Clock = new RealClock()): SharedStore {
  return sharedStore(new MemoryStore(clock));
}

function expire(group: Group, message: StoreMessage, now: number): void {
  const { epoch, quotas, isLeaving } = message;
  const dead = [...group.processes.values()]
    .filter(({ expiresAt }) => expiresAt <= now)
    .sort((a, b) => a.expiresAt - b.expiresAt || (a.id < b.id ? -1 : 1))
    .slice(0, MOST_EXPIRED);
  let hasHeld = false;
  for (const { id, held } of dead) {
    group.processes.delete(id);
    group.queue.delete(id);
    for (const [quota, amount] of held) {
      hasHeld = true;
      const state = group.quotas.get(quota)!;
      state.held -= amount;
      if (state.windowMs > 0) state.inherited += amount;
    }
  }
  if (group.processes.has(message.process)) return;
  const isAlone = hasHeld && livingIn(group) === 0;
  const isReturning = !isLeaving && epoch !== null && quotas.some(({ held, used }) => held > 0 || used.length > 0);
  if (isAlone || isReturning) group.openAt = now + GRACE_MS;
}

function accept(group: Group, message: StoreMessage, now: number): { answer: StoreAnswer; hasReturned: boolean } {
  const id = message.process;
  const { quotas, wants, isLeaving } = message;
  const before = group.processes.get(id);
  const knownLedger = before?.ledger ?? null;
  const isNew = message.ledger > (knownLedger ?? 0);
  let isReturned = false;
  for (const quota of quotas) {
    const state = group.quotas.get(quota.id) ?? new UsageBuckets();
    group.quotas.set(quota.id, state);
    const usedBefore = state.used;
    state.update(quota, now);
    if (quota.kind !== "places") {
      if (state.inherited > 0) state.add([[0, state.inherited]], quota, now);
      state.inherited = 0;
      if (isNew) state.add(quota.used, quota, now);
    }
    const held = isLeaving ? 0 : quota.held;
    const heldBefore = before?.held.get(quota.id) ?? 0;
    state.held += held;
    isReturned ||= held + Math.max(0, state.used - usedBefore) < heldBefore;
  }
  if (before !== undefined) for (const [quota, amount] of before.held) group.quotas.get(quota)!.held -= amount;
  group.facts.note(message.facts, now);

  const others = othersInQueue(group, id, now);
  const ticket = group.queue.get(id)?.ticket ?? Infinity;
  const isAlive = before !== undefined && !before.hasLeft;
  const processes = livingIn(group) + (isLeaving ? 0 : 1) - (isAlive ? 1 : 0);
  const isOpen = now >= group.openAt;
  const ahead = quotas.map((quota) => needsIn(others, quota.id, (other) => other.ticket < ticket));
  const free = quotas.map(({ id, limit }) => {
    const { used, held } = group.quotas.get(id)!;
    return isOpen ? Math.min(limit, Number.MAX_SAFE_INTEGER) - used - held : 0;
  });
  const left = free.map((amount, i) => Math.max(0, amount - ahead[i]!));
  const serving = serve(quotas, isLeaving ? [] : wants, left);
  const { served, granted, first, lacks } = serving;
  if (isOpen && !isLeaving && first === null) {
    for (const [i, quota] of quotas.entries()) {
      const behind = needsIn(others, quota.id, (other) => other.ticket > ticket);
      const most = Math.floor(Math.max(0, left[i]! - behind) / (2 * processes));
      if (quota.kind !== "places") granted[i]! += Math.max(0, Math.min(quota.ahead, most));
    }
  }
  let polls = 0;
  let retryAt = 0;
  const isGranted = granted.some((amount) => amount > 0);
  if (first === null) group.queue.delete(id);
  else {
    polls = isGranted ? 1 : Math.min((before?.polls ?? 0) + 1, MOST_DOUBLINGS + 1);
    const pollAt = now + SHORTEST_RETRY_MS * 2 ** (polls - 1);
    const at = isOpen ? fitsAt() : group.openAt;
    const retryInMs = (Number.isNaN(at) ? pollAt : at) - now;
    retryAt = now + Math.min(LONGEST_RETRY_MS, Math.max(SHORTEST_RETRY_MS, retryInMs));
    const needs = new Map(first.needs.map(([quota, need]) => [quotas[quota]!.id, need]));
    const keepsTicket = ticket < Infinity && !isGranted;
    group.queue.set(id, { ticket: keepsTicket ? ticket : ++group.tickets, until: retryAt + SLACK_MS, needs });
  }
  const held = new Map<string, number>();
  for (const [i, quota] of quotas.entries()) {
    group.quotas.get(quota.id)!.held += granted[i]!;
    const amount = (isLeaving ? 0 : quota.held) + granted[i]!;
    if (amount > 0) held.set(quota.id, amount);
  }
  const member: Process = {
    id,
    turn: message.turn,
    ledger: Math.max(message.ledger, knownLedger ?? 0),
    expiresAt: now + message.ttlMs + SLACK_MS,
    hasLeft: isLeaving,
    held,
    polls,
    answer: { served, granted, knownLedger, retryAt },
  };
  group.processes.set(id, member);
  return { answer: answerOf(group, message, member, now, others), hasReturned: isReturned && others.length > 0 };

  /** Instant by which the first call that was not served fits by time alone, as far as its scarcest quota is known. */
  function fitsAt(): number {
    let scarcity = 0;
    let at = NaN;
    for (const [i, lack] of lacks) {
      const quota = quotas[i]!;
      const missing = lack + ahead[i]! - (free[i]! - granted[i]!);
      const share = missing / Math.max(1, quota.limit);
      if (missing <= 0 || share <= scarcity) continue;
      scarcity = share;
      at = quota.kind === "places" ? NaN : group.quotas.get(quota.id)!.releaseAt(missing, quota);
    }
    return at;
  }
}

function answerOf(
  group: Group,
  message: StoreMessage,
  { answer }: Process,
  now: number,
  others: readonly Waiting[] = othersInQueue(group, message.process, now),
): StoreAnswer {
  const { served, granted, knownLedger, retryAt } = answer;
  return {
    status: "ok",
    epoch: group.epoch,
    processes: Math.max(1, livingIn(group)),
    othersWait: others.length > 0,
    knownLedger,
    quotas: message.quotas.map((quota, i) => {
      const { used = 0, held = 0 } = group.quotas.get(quota.id) ?? {};
      return { granted: granted[i]!, used, held };
    }),
    served,
    retryInMs: retryAt === 0 ? 0 : Math.max(SHORTEST_RETRY_MS, retryAt - now),
    facts: group.facts.at(now),
  };
}

/** The first processes of the queue without this one. Places that are overdue are lost. */
function othersInQueue(group: Group, id: string, now: number): Waiting[] {
  const first = [...group.queue].sort(([, a], [, b]) => a.ticket - b.ticket).slice(0, MOST_AHEAD + 1);
  const others: Waiting[] = [];
  for (const [other, waiting] of first) {
    if (other === id) continue;
    if (waiting.until <= now) group.queue.delete(other);
    else if (others.length < MOST_AHEAD) others.push(waiting);
  }
  return others;
}

function needsIn(others: readonly Waiting[], quota: string, isCounted: (other: Waiting) => boolean): number {
  let sum = 0;
  for (const other of others) if (isCounted(other)) sum += other.needs.get(quota) ?? 0;
  return sum;
}

function livingIn({ processes }: Group): number {
  let living = 0;
  for (const { hasLeft } of processes.values()) if (!hasLeft) living++;
  return living;
}
