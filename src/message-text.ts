// Texts in messages of errors: amounts, durations and windows in people's units, and values and names of bounded length.
import type { RefusalReason } from "./api/refusal.ts";
import type { WindowSpec } from "./api/window.ts";

/** Text of the reasons of a refusal. Amounts of money are in micro-USD, and in dollars in the text. */
export function refusalText(reasons: readonly RefusalReason[]): string {
  return listText(reasons, reasonText, "; ") || "it has no providers";
}

const STATES: { readonly [reason: string]: string } = {
  cooldown: "in cooldown",
  waiters_ahead: "reserved for waiting calls",
};

function reasonText(reason: RefusalReason): string {
  const { retryAfterMs } = reason;
  const statedMs = "statedWaitMs" in reason ? reason.statedWaitMs : undefined;
  const stated = statedMs === undefined ? "" : `; it asked to wait ${durationText(statedMs)}`;
  const problem = "needed" in reason ? shortageText(reason) : ` is ${STATES[reason.reason] ?? wordsOf(reason.reason)}`;
  return (
    valueText(reason.provider) +
    problem +
    (retryAfterMs === null ? "" : ` (retry in ${durationText(retryAfterMs)}${stated})`)
  );
}

type Shortage = Extract<RefusalReason, { readonly needed: number }>;

function shortageText({
  reason,
  dimension,
  window,
  pool,
  fairnessKey,
  limit,
  remaining,
  needed,
  heldForMs,
  abandoned,
}: Shortage): string {
  const isCost = dimension === "cost_usd";
  const amount = isCost ? dollarsText : countText;
  const units = wordsOf(dimension).replace("concurrency", "places");
  const demand = isCost ? amount(needed) : `${amount(needed)} ${needed === 1 ? units.slice(0, -1) : units}`;
  // Without the safety margin of an estimate, the amount would fit.
  const total = needed > remaining ? demand : `${demand} and a margin`;
  const problem =
    reason === "too_large"
      ? ` can never take ${demand}: its limit is ${amount(limit)}${window === null ? "" : ` per ${periodText(window)}`}`
      : reason === "concurrency"
        ? `: ${amount(limit - remaining)} of ${amount(limit)} places are ${holdersText(limit - remaining, heldForMs, abandoned)}`
        : ` ${isCost ? `cost: ${total} needed` : `needs ${total}`}, ${amount(remaining)} of ${amount(limit)} left`;
  const ofKey = fairnessKey === undefined ? problem : `${problem} for key ${valueText(fairnessKey)}`;
  return pool === null ? ofKey : `${ofKey} in pool ${valueText(pool)}`;
}

function holdersText(held: number, heldForMs: number | undefined, abandoned = 0): string {
  if (heldForMs === undefined) return "in use";
  const tasks = "timed-out tasks that still run: pass `signal` to the client";
  if (abandoned >= held) return `held by ${tasks}`;
  const text = `held by calls of this limiter, the oldest for ${durationText(heldForMs)}`;
  return abandoned === 0 ? text : `${text}; ${countText(abandoned)} of them by ${tasks}`;
}

function countText(count: number): string {
  return count.toLocaleString("en");
}

/** Text of an amount of money. */
export function dollarsText(microUsd: number): string {
  const fraction = ((microUsd % 1e6) / 1e6).toFixed(6).slice(1);
  // At least cents, at most all digits.
  return `$${countText(Math.floor(microUsd / 1e6))}${fraction.replace(/0{1,4}$/, "")}`;
}

/** Text of a window, as in "per minute". */
export function periodText(window: WindowSpec): string {
  if (typeof window === "string") return window;
  return "seconds" in window ? durationText(window.seconds * 1_000) : `calendar ${window.calendar}`;
}

const UNITS: readonly (readonly [unit: string, lengthMs: number, belowMs: number])[] = [
  ["ms", 1, 1_000],
  ["s", 1_000, 120_000],
  ["min", 60_000, 7_200_000],
  ["h", 3_600_000, 172_800_000],
  ["days", 86_400_000, Infinity],
];

// Rounded up, because a retry must not come too early. 61 s are not 1.1 min: each unit begins at two.
function durationText(ms: number): string {
  const [unit, lengthMs] = UNITS.find(([, , belowMs]) => ms < belowMs) ?? UNITS[0]!;
  return `${Math.ceil((ms * 10) / lengthMs) / 10} ${unit}`;
}

/** Text of a word with underscores. */
export function wordsOf(word: string): string {
  return word.replaceAll("_", " ");
}

const ITEMS_SHOWN = 8;

/** Texts of the first items, and the number of the others. */
export function listText<Item>(
  items: readonly Item[],
  textOf: (item: Item) => string,
  separator: string,
  shown: number = ITEMS_SHOWN,
): string {
  const texts = items.slice(0, shown).map(textOf);
  if (items.length > shown) texts.push(`and ${items.length - shown} more`);
  return texts.join(separator);
}

const CHARACTERS_SHOWN = 40;

// JSON leaves DEL, the C1 controls, and the marks that reverse the direction of a line as they are.
const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/** The text in double quotes, with escapes for characters that could forge or reorder a line of a log. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(HIDDEN, (hidden) => `\\u${hidden.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Short text of any value. */
export function valueText(value: unknown): string {
  if (typeof value === "string") {
    // One more than shown, so that a longer string is recognised.
    const text = quoted(value.slice(0, CHARACTERS_SHOWN + 1));
    return text.length > CHARACTERS_SHOWN + 2 ? `${text.slice(0, CHARACTERS_SHOWN + 1)}..."` : text;
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
