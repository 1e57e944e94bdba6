import { expect, it } from "vitest";
import { GrateLimiter, MockClock } from "../../../src/index.ts";
import { logEvents } from "../../../src/logging/index.ts";

const HOUR_MS = 3_600_000;

function fixture(provider = "a", linesPerMinute?: number) {
  const clock = new MockClock();
  const limiter = new GrateLimiter({ providers: [{ name: provider }], capabilities: { chat: [provider] }, clock });
  const lines: [string, object, string][] = [];
  const line = (level: string) => (fields: object, text: string) => lines.push([level, fields, text]);
  const logger = { info: line("info"), warn: line("warn"), error: line("error") };
  const stop = logEvents(limiter, logger, { clock, linesPerMinute });
  return { clock, limiter, lines, stop };
}

it("a dead key is one line of level error", () => {
  const { limiter, lines } = fixture();
  limiter.observe({ provider: "a", outcome: { status: 401 } });
  expect(lines).toEqual([["error", { event: "dead_key", provider: "a" }, 'grate-limiter: the key of "a" is dead']]);
});

it("a stated wait of more than 24 hours is a line of its own level", () => {
  const { limiter, lines } = fixture();
  limiter.observe({ provider: "a", outcome: { status: 429, retryAfterMs: 30 * HOUR_MS } });
  expect(lines.map(([level, fields]) => [level, fields])).toEqual([
    ["error", { event: "long_wait", provider: "a", status: "rate_limited", durationMs: 30 * HOUR_MS }],
  ]);
});

it("lines over the limit are counted in the next line after the minute", () => {
  const { clock, limiter, lines } = fixture("a", 2);
  limiter.observe({ provider: "a", outcome: { status: 401 } });
  for (let i = 0; i < 10; i++) limiter.tryAcquire("chat");
  expect(lines.filter(([, fields]) => "capability" in fields)).toHaveLength(2);
  clock.advanceMs(60_000);
  limiter.tryAcquire("chat");
  expect(lines.at(-1)![1]).toMatchObject({ event: "refused", suppressed: 8 });
});

it("a hostile name cannot start a new line or fill the log", () => {
  const { limiter, lines } = fixture(`x\n${"y".repeat(10_000)}`);
  limiter.observe({ provider: `x\n${"y".repeat(10_000)}`, outcome: { status: 401 } });
  expect(lines[0]![2]).not.toContain("\n");
  expect(lines[0]![2].length).toBeLessThan(200);
});

it("a logger with a method log gets the message first, and nothing after the stop", () => {
  const seen: unknown[][] = [];
  const write = (...line: unknown[]) => seen.push(line);
  const { limiter } = fixture();
  const stop = logEvents(limiter, { info: write, warn: write, error: write, log: write } as never);
  limiter.observe({ provider: "a", outcome: { status: 401 } });
  stop();
  limiter.reviveProvider("a");
  expect(seen).toEqual([['grate-limiter: the key of "a" is dead', { event: "dead_key", provider: "a" }]]);
});

it("an incomplete logger and a limit of 0 are errors", () => {
  const { limiter } = fixture();
  expect(() => logEvents(limiter, {} as never)).toThrow("logger: has no method info, warn, error");
  expect(() => logEvents(limiter, console, { linesPerMinute: 0 })).toThrow("linesPerMinute: must be above 0, got 0");
});
