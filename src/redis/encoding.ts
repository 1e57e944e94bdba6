// Messages and answers as the script reads and writes them.
//
// Regimes: names become ASCII without quotes, spaces and braces, so that they need no escapes in keys, in JSON and in the
// script, and so that a group is one hash tag. Clients return numbers as numbers or text, and some parse text that looks like
// JSON, so texts of an answer begin with a letter or "=".

import type { StoreAnswer, StoreFact, StoreMessage, StoreUsage } from "grate-limiter/store";

const MOST_PARTS = 64;
const KINDS = { window: 0, fixed: 1, places: 2 } as const;

/** Writes any text with letters, digits and "_.:/-" alone: a space as "+", another code unit as "%" and 4 hexadecimal digits. */
export function escapeName(text: string): string {
  return text.replace(/[^\w.:/-]/g, (unit) =>
    // A surrogate pair is two units, since there is no flag "u".
    unit === " " ? "+" : `%${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Text that `escapeName` has written. */
export function unescapeName(name: string): string {
  return name.replace(/\+|%([0-9a-f]{4})/g, (_, hex?: string) =>
    hex === undefined ? " " : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** The keys of a group: state, deaths, queue, facts, and the log of each quota of the message. */
export function keysOf(prefix: string, group: string, { quotas }: StoreMessage): string[] {
  const tag = tagOf(prefix, group);
  const logs = quotas.map(({ id }) => `${tag}:usage:${escapeName(id)}`);
  return [`${tag}:state`, `${tag}:deaths`, `${tag}:queue`, `${tag}:facts`, ...logs];
}

/** Channel of the wake-ups of a group. */
export function channelOf(prefix: string, group: string): string {
  return `${tagOf(prefix, group)}:returned`;
}

/** The message in JSON. */
export function encodeMessage(message: StoreMessage): string {
  const { turn, ledger, epoch, ttlMs, isLeaving, quotas, wants, facts } = message;
  return JSON.stringify([
    escapeName(message.process),
    turn,
    ledger,
    epoch ?? "",
    ttlMs,
    isLeaving ? 1 : 0,
    quotas.map((quota) => [
      escapeName(quota.id),
      KINDS[quota.kind],
      Math.min(quota.limit, Number.MAX_SAFE_INTEGER),
      quota.windowMs,
      quota.resetInMs,
      quota.held,
      quota.spare,
      quota.ahead,
      batchOf(quota.used).flat(),
    ]),
    wants.map(({ count, needs }) => [count, ...needs.flatMap(([quota, amount]) => [quota + 1, amount])]),
    facts.map(({ key, value, revision, forMs }) => [escapeName(key), escapeName(value), revision, forMs]),
  ]);
}

/**
 * The usage in at most 64 parts, which bounds the time of the script. Amounts that follow each other are summed at the
 * youngest age, so that nothing is forgotten too early: after a rebuild an amount can count for 1.6 % of a window too long.
 */
function batchOf(used: readonly StoreUsage[]): readonly StoreUsage[] {
  if (used.length <= MOST_PARTS) return used;
  const sorted = [...used].sort(([a], [b]) => b - a);
  const size = Math.ceil(sorted.length / MOST_PARTS);
  const parts: StoreUsage[] = [];
  for (let i = 0; i < sorted.length; i += size) {
    const part = sorted.slice(i, i + size);
    parts.push([part.at(-1)![0], part.reduce((sum, [, amount]) => sum + amount, 0)]);
  }
  return parts.filter(([, amount]) => amount !== 0);
}

/** Reads the answer of the script. Throws for anything else. */
export function decodeAnswer(reply: unknown): StoreAnswer {
  if (!Array.isArray(reply)) throw new Error("the store's answer is not a list");
  const parts: readonly unknown[] = reply;
  let next = 0;
  const text = () => textOf(parts[next++]);
  const number = () => {
    const value = Number(textOf(parts[next++]));
    if (!Number.isFinite(value)) throw new Error("the store's answer has a part that is not a number");
    return value;
  };
  const status = text();
  if (status === "stale") return { status };
  const epoch = text();
  if (status === "rebuild") return { status, epoch };
  if (status !== "ok") throw new Error("the store's answer has an unknown status");
  const [processes, others, ledger, retryInMs] = [number(), number(), number(), number()];
  const [quotaCount, wantCount, factCount] = [number(), number(), number()];
  const quotas = listOf(quotaCount, () => ({ granted: number(), used: number(), held: number() }));
  const served = listOf(wantCount, number);
  const facts = listOf(
    factCount,
    (): StoreFact => ({
      key: unescapeName(text().slice(1)),
      value: unescapeName(text().slice(1)),
      revision: number(),
      forMs: number(),
    }),
  ).sort((a, b) => (a.key < b.key ? -1 : 1));
  const knownLedger = ledger < 0 ? null : ledger;
  return { status, epoch, processes, othersWait: others > 0, knownLedger, quotas, served, retryInMs, facts };
}

function tagOf(prefix: string, group: string): string {
  return `${prefix}:{${escapeName(group)}}`;
}

function listOf<T>(length: number, item: () => T): T[] {
  return Array.from({ length }, item);
}

/** Text of a part of an answer, which is ASCII. Some clients return bytes. */
function textOf(part: unknown): string {
  return part instanceof Uint8Array ? String.fromCharCode(...part) : String(part);
}
