// Texts in people's units.
import type { Dimension, WindowSpec } from "grate-limiter";
import type { DecisionRow, ProviderRow, QuotaRow, ReasonRow, Reasons } from "../src/monitor/message.ts";

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const DOLLARS = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumFractionDigits: 4 });
const ONE_DIGIT = new Intl.NumberFormat("en", { maximumFractionDigits: 1, minimumFractionDigits: 1 });

/** Count with separators; a large one in thousands or millions. */
export function countText(count: number): string {
  return Math.abs(count) < 100_000 ? WHOLE.format(count) : SHORT.format(count);
}

/** Rate per second: one digit after the point below 10. */
export function rateText(perSecond: number): string {
  return perSecond > 0 && perSecond < 9.95 ? ONE_DIGIT.format(perSecond) : countText(perSecond);
}

const UNITS: readonly (readonly [name: string, lengthMs: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
];

/** Duration in at most two units: "350 ms", "12 s", "3 min 20 s". */
export function durationText(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${ONE_DIGIT.format(ms / 1_000)} s`;
  const seconds = Math.round(ms / 1_000) * 1_000;
  const index = UNITS.findIndex(([, lengthMs]) => seconds >= lengthMs);
  const [unit, lengthMs] = UNITS[index]!;
  const [smaller, smallerMs] = UNITS[index + 1] ?? ["", 0];
  const rest = smallerMs === 0 ? 0 : Math.floor((seconds % lengthMs) / smallerMs);
  return `${WHOLE.format(Math.floor(seconds / lengthMs))} ${unit}${rest === 0 ? "" : ` ${rest} ${smaller}`}`;
}

/** Remaining time in whole seconds, because a clock with fractions is restless. */
export function clockText(ms: number): string {
  return durationText(Math.max(1, Math.ceil(ms / 1_000)) * 1_000).replace(".0 ", " ");
}

/** Amount of a dimension. Money is in micro-USD. */
export function amountText(dimension: Dimension, amount: number): string {
  return dimension === "cost_usd" ? DOLLARS.format(amount / 1e6) : countText(amount);
}

const DIMENSIONS: { readonly [dimension in Dimension]: string } = {
  requests: "Requests",
  tokens: "Tokens",
  input_tokens: "Input tokens",
  output_tokens: "Output tokens",
  concurrency: "Places",
  cost_usd: "Dollars",
  bytes: "Bytes",
};

/** Name of a quota: "Requests / minute". */
export function quotaName(dimension: Dimension, window: WindowSpec | null): string {
  return window === null ? DIMENSIONS[dimension] : `${DIMENSIONS[dimension]} / ${windowText(window)}`;
}

function windowText(window: WindowSpec): string {
  if (typeof window === "string") return window;
  if ("calendar" in window) return `calendar ${window.calendar}`;
  return durationText(window.seconds * 1_000).replace(".0 ", " ");
}

/** Amounts of a quota, below its bar. */
export function quotaText({ dimension, used, reserved, isReported, limit, remaining }: QuotaRow): string {
  const amount = (value: number) => shortAmountText(dimension, value);
  const taken = used === 0 && reserved > 0 ? "" : `${amount(used)} used`;
  const texts = [taken, reserved > 0 ? `${amount(reserved)} reserved` : "", isReported ? "lower limit reported" : ""];
  // A provider with fixed windows can state that it has begun a new one.
  if (remaining > Math.max(0, limit - used - reserved)) texts.push("more left as reported");
  return texts.filter((text) => text !== "").join(", ");
}

/** Remaining amount of a quota, above its bar. */
export function remainingText({ dimension, remaining, limit }: QuotaRow): string {
  return `${shortAmountText(dimension, remaining)} of ${shortAmountText(dimension, limit)} left`;
}

/** Amount that needs little space. */
function shortAmountText(dimension: Dimension, amount: number): string {
  return dimension === "cost_usd" || amount < 10_000 ? amountText(dimension, amount) : SHORT.format(amount);
}

/** Forecast of a quota; empty: it is not exhausted within an hour. Places come back, so that a rate says little about them. */
export function forecastText({ dimension, exhaustedInMs, remaining }: QuotaRow): string {
  if (remaining === 0) return "full";
  if (dimension === "concurrency") return "";
  if (exhaustedInMs === null || exhaustedInMs > 3_600_000) return "";
  return `full in ${clockText(exhaustedInMs)}`;
}

/** Tone of a badge. */
export type Tone = "good" | "warn" | "bad" | "info" | "off";

/** Texts and tones of the states. */
export const STATES: { readonly [state in ProviderRow["state"]]: readonly [text: string, tone: Tone] } = {
  available: ["Available", "good"],
  cooldown: ["Cooldown", "warn"],
  trial: ["Trial", "info"],
  ramping: ["Ramping up", "info"],
  unhealthy: ["Unhealthy", "warn"],
  dead: ["Key is dead", "bad"],
  paused: ["Paused", "off"],
};

/** Texts and tones of the decisions. */
export const KINDS: { readonly [kind in DecisionRow["kind"]]: readonly [text: string, tone: Tone] } = {
  granted: ["Granted", "good"],
  queued: ["Waits", "info"],
  refused: ["Refused", "bad"],
  failover: ["Failover", "warn"],
  cooldownStarted: ["Cooldown", "warn"],
  cooldownEnded: ["Cooldown over", "good"],
  providerDead: ["Key is dead", "bad"],
  providerRevived: ["Key works", "good"],
  leaseExpired: ["Lease expired", "warn"],
  unrecognizedOutcome: ["Unrecognized", "warn"],
  repeatedlyUnsuitable: ["Unsuitable", "warn"],
};

const REASONS: { readonly [reason: string]: string } = {
  cooldown: "is in cooldown",
  unhealthy: "is unhealthy",
  dead: "has a dead key",
  ramping: "is ramping up",
  excluded: "is excluded by the call",
  paused: "is paused",
  not_registered: "is not registered",
  waiters_ahead: "serves waiting calls first",
};

const words = (word: string): string => word.replaceAll("_", " ");

/** Text after the name of the provider: "needs 500 tokens, 120 of 1,000 left". */
export function reasonText({ reason, needs, retryAfterMs, statedWaitMs, heldForMs }: ReasonRow): string {
  const retry = retryAfterMs === null ? "" : `, free in ${clockText(retryAfterMs)}`;
  const stated = statedWaitMs === undefined ? "" : `, asked for ${durationText(statedWaitMs)}`;
  if (needs === undefined) return `${REASONS[reason] ?? words(reason)}${retry}${stated}`;
  const { dimension, window, pool, limit, remaining, needed } = needs;
  const amount = (value: number) => amountText(dimension, value);
  const units = dimension === "cost_usd" ? "" : ` ${words(dimension).replace(needed === 1 ? /s$/ : /$^/, "")}`;
  const period = window === null ? "" : ` / ${windowText(window)}`;
  const held = heldForMs === undefined ? "" : `, the oldest for ${durationText(heldForMs)}`;
  const problem =
    reason === "concurrency"
      ? `has ${amount(limit - remaining)} of ${amount(limit)} places in use${held}`
      : reason === "too_large"
        ? `can never take ${amount(needed)}${units}: the limit is ${amount(limit)}${period}`
        : `needs ${amount(needed)}${units}, ${amount(remaining)} of ${amount(limit)}${period} left`;
  return `${problem}${pool === null ? "" : ` in pool \u2068${pool}\u2069`}${retry}`;
}

/** Pieces of a text: names are shown isolated from the text around them. */
export type Piece = string | { readonly name: string };

/** Text of reasons. */
export function reasonsText({ first, others }: Reasons): readonly Piece[] {
  if (first.length === 0) return ["no provider can serve it"];
  const pieces = first.flatMap((reason, index): Piece[] => {
    return [...(index === 0 ? [] : ["; "]), { name: reason.provider }, ` ${reasonText(reason)}`];
  });
  return others === 0 ? pieces : [...pieces, `; and ${others} more`];
}

const score = (value: number): string => value.toFixed(2);

/** Text of the reason of a decision. */
export function whyText(row: DecisionRow): readonly Piece[] {
  switch (row.kind) {
    case "granted": {
      const { quotaScore, healthScore, priorityScore, latencyScore } = row.parts;
      const parts = `quota ${score(quotaScore)}, health ${score(healthScore)}, priority ${score(priorityScore)}, latency ${score(latencyScore)}`;
      const others = row.others.flatMap(([name, value], index): Piece[] => [
        index === 0 ? "; next " : ", ",
        { name },
        ` ${score(value)}`,
      ]);
      const waited = row.waitedMs >= 1 ? `waited ${durationText(row.waitedMs)}; ` : "";
      return [`${waited}score ${score(row.score)}: ${parts}`, ...others];
    }
    case "queued":
      return reasonsText(row.reasons);
    case "refused": {
      const { retryAfterMs } = row;
      return [
        ...reasonsText(row.reasons),
        retryAfterMs === null || retryAfterMs === undefined ? "" : `; retry in ${clockText(retryAfterMs)}`,
      ];
    }
    case "failover":
      return ["instead of ", { name: row.from }, `: ${words(row.status)}`];
    case "cooldownStarted":
      return [`for ${durationText(row.durationMs)}: ${words(row.status)}`];
    case "unrecognizedOutcome": {
      const code = row.code === null ? "" : `code ${row.code}`;
      return ["no rule recognizes ", row.name === null ? "the outcome " : { name: row.name }, ` ${code}`];
    }
    case "repeatedlyUnsuitable":
      return [`${countText(row.count)} requests in a row did not suit it`];
    case "leaseExpired":
      return ["it was not settled in time"];
    case "providerDead":
      return ["the provider refused the key"];
    case "providerRevived":
      return ["the provider takes the key again"];
    case "cooldownEnded":
      return ["the provider is used again"];
  }
}
