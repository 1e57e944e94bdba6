import { type Clock, type GrateLimiter, RealClock } from "grate-limiter";

/** Logger with the methods of pino, winston, bunyan or `console`. One with a method `log` gets the message first. */
export interface EventLogger {
  info(first: never, second: never): unknown;
  warn(first: never, second: never): unknown;
  error(first: never, second: never): unknown;
}

/** Options of `logEvents`. */
export interface LogOptions {
  /** Most lines per minute of one event and one provider or capability; default 6. Infinity: all lines. */
  readonly linesPerMinute?: number | undefined;
  /** Source of time for that limit; default the real clock. */
  readonly clock?: Clock | undefined;
}

type Level = "info" | "warn" | "error";
interface Fields {
  readonly [name: string]: string | number | null;
}

/** Lines of one event and name in the present minute. */
interface Minute {
  startedAt: number;
  lines: number;
  suppressed: number;
}

const DAY_MS = 86_400_000;
const MAX_REASONS = 20;

/**
 * Writes one line for each failover, cooldown, dead or revived key, refusal, and stated wait of more than 24 hours. No line
 * has content of requests, labels, fairness keys or credentials. Lines over the limit are counted in `suppressed` of the next
 * line. Returns a function that stops. Throws a TypeError if the logger or the options are invalid.
 */
export function logEvents(
  limiter: Pick<GrateLimiter, "on">,
  logger: EventLogger,
  options: LogOptions = {},
): () => void {
  const { linesPerMinute = 6, clock = new RealClock() } = options;
  const missing = (["info", "warn", "error"] as const).filter((level) => typeof logger?.[level] !== "function");
  if (missing.length > 0) throw new TypeError(`logger: has no method ${missing.join(", ")}`);
  if (!(linesPerMinute > 0)) throw new TypeError(`linesPerMinute: must be above 0, got ${linesPerMinute}`);
  const isMessageFirst = typeof (logger as { log?: unknown }).log === "function";
  const minutes = new Map<string, Minute>();

  const write = (level: Level, event: string, name: string, message: string, details: Fields) => {
    const key = `${event} ${name}`;
    const now = clock.now();
    const minute = minutes.get(key) ?? { startedAt: now, lines: 0, suppressed: 0 };
    minutes.set(key, minute);
    if (now - minute.startedAt >= 60_000) {
      minute.startedAt = now;
      minute.lines = 0;
    }
    if (minute.lines >= linesPerMinute) {
      minute.suppressed++;
      return;
    }
    minute.lines++;
    const fields = { event, ...details, ...(minute.suppressed === 0 ? {} : { suppressed: minute.suppressed }) };
    minute.suppressed = 0;
    const text = `grate-limiter: ${message}`;
    if (isMessageFirst) logger[level](text as never, fields as never);
    else logger[level](fields as never, text as never);
  };

  const stops = [
    limiter.on("failover", ({ capability, from, to, status }) => {
      const message = `failover from ${quote(from)} to ${quote(to)} after ${status}`;
      write("info", "failover", `${from} ${to}`, message, { capability, from, to, status });
    }),
    limiter.on("cooldownStarted", ({ provider, status, durationMs }) => {
      const fields = { provider, status, durationMs };
      const message = `cooldown of ${quote(provider)} for ${seconds(durationMs)} after ${status}`;
      if (durationMs <= DAY_MS) write("warn", "cooldown", provider, message, fields);
      else write("error", "long_wait", provider, `${message}, more than 24 hours`, fields);
    }),
    limiter.on("providerDead", ({ provider }) => {
      write("error", "dead_key", provider, `the key of ${quote(provider)} is dead`, { provider });
    }),
    limiter.on("providerRevived", ({ provider }) => {
      write("info", "key_revived", provider, `the key of ${quote(provider)} works again`, { provider });
    }),
    limiter.on("refused", ({ capability, refusal: { reasons, retryAfterMs } }) => {
      const shown = reasons.slice(0, MAX_REASONS).map(({ provider, reason }) => `${quote(provider)} ${reason}`);
      const more = reasons.length > MAX_REASONS ? `, and ${reasons.length - MAX_REASONS} more` : "";
      const retry = retryAfterMs === null ? "" : ` (retry in ${seconds(retryAfterMs)})`;
      const message = `request for ${quote(capability)} refused: ${shown.join(", ")}${more}${retry}`;
      write("warn", "refused", capability, message, { capability, retryAfterMs, reasons: shown.join(", ") + more });
      for (const reason of reasons) {
        if (!("statedWaitMs" in reason) || !(reason.statedWaitMs! > DAY_MS)) continue;
        const { provider, statedWaitMs } = reason;
        const text = `${quote(provider)} asked for a wait of ${seconds(statedWaitMs!)}, more than 24 hours`;
        write("error", "long_wait", provider, text, { provider, statedWaitMs: statedWaitMs! });
      }
    }),
  ];
  return () => {
    for (const stop of stops.splice(0)) stop();
  };
}

/** A name cannot start a new line, nor fill the log. */
function quote(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}...` : name);
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1_000)} s`;
}
