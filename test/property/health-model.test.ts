// The limiter against the model of its health rules, over random histories of one provider.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, NoAvailableProviders, type QuotaConfig, StatusClass } from "../../src/index.ts";
import {
  DEFAULTS,
  HealthModel,
  type ModelEvent,
  type ReportedOutcome,
  type Settings,
} from "../support/health-model.ts";
import { propertyRuns } from "../support/test-effort.ts";

type Step =
  | { do: "observe"; reported: ReportedOutcome }
  | { do: "burst"; reported: ReportedOutcome; size: number }
  | { do: "advance"; ms: number }
  | { do: "read" }
  | { do: "select" }
  | { do: "revive" }
  | { do: "upsert" };

const HOUR_MS = 3_600_000;
const seconds = (...values: number[]) => fc.constantFrom(...values);
const share = fc.constantFrom(0, 0.02, 0.1, 0.25, 0.5, 0.9, 1);

const settings: fc.Arbitrary<Settings> = fc.oneof(
  fc.constant(DEFAULTS),
  fc.record({
    decayHalfLifeSeconds: seconds(0, 5, 60, 300),
    penalty429: share,
    penalty403: share,
    penalty5xx: share,
    penaltyTimeout: share,
    boostSuccess: share,
    cooldownTriggerCount: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    cooldownMultiplier: fc.constantFrom(0, 0.5, 1, 1.5, 2, 3),
    maxCooldownSeconds: fc.option(seconds(0.5, 5, 60, 600), { nil: undefined }),
    recoveredHealth: share,
    ewmaAlpha: share,
    cooldownThreshold: share,
    recheckDeadAfterMs: fc.constantFrom(0, 1_000, 600_000, 1e7),
  }),
);

const reported: fc.Arbitrary<ReportedOutcome> = fc.record({
  // No rule covers a stated wait of an unauthorized answer: the provider is dead in any case.
  status: fc.constantFrom(
    ...Object.values(StatusClass).filter((status) => status !== "unauthorized"),
    ...(["rate_limited", "rate_limited", "server_error", "success"] as const),
  ),
  latencyMs: fc.option(fc.constantFrom(0, 0.5, 100, 2_000), { nil: undefined }),
  retryAfterMs: fc.option(fc.constantFrom(0, 1, 1_500, 20_000, 3_600_000, 1e12), { nil: undefined, freq: 3 }),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant("observe" as const), reported }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: "observe", reported: { status: "unauthorized" } }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("advance" as const),
      ms: fc.constantFrom(1, 100, 499, 500, 1_000, 1_499, 1_500, 5_000, 30_000, 60_000, 600_000, 48 * HOUR_MS),
    }),
  },
  // Several requests that end within the last 500 ms.
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("burst" as const), reported, size: fc.integer({ min: 2, max: 6 }) }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ do: "read" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: "select" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: "revive" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: "upsert" }) },
);

const life = fc.record({
  settings,
  cooldownSeconds: seconds(0, 0.25, 1.5, 30, 60, 1_000),
  minimum: fc.constantFrom(0, 0.2, 0.5, 1),
  windowSeconds: fc.constantFrom(undefined, 0.5, 10),
  steps: fc.array(step, { minLength: 1, maxLength: 60 }),
});

interface Given {
  settings: Settings;
  cooldownSeconds: number;
  minimum: number;
  windowSeconds: number | undefined;
}

function live(given: Given) {
  const clock = new MockClock({ startMs: 1_000_000 });
  const quotas: QuotaConfig[] = [];
  // The window matters, the limit never does.
  if (given.windowSeconds !== undefined) {
    quotas.push({ dimension: "bytes", limit: 1e9, window: { seconds: given.windowSeconds } });
  }
  const config = { name: "only", cooldownSeconds: given.cooldownSeconds, quotas };
  const limiter = new GrateLimiter({
    clock,
    providers: [config],
    capabilities: { chat: ["only"] },
    health: given.settings,
    minimumHealthScore: given.minimum,
  });
  const events: ModelEvent[] = [];
  limiter.on("cooldownStarted", ({ status, durationMs }) => {
    events.push({ event: "cooldownStarted", status, durationMs });
  });
  for (const event of ["cooldownEnded", "providerDead", "providerRevived"] as const) {
    limiter.on(event, () => events.push({ event }));
  }
  return { clock, limiter, config, events };
}

function modelOf({ settings, cooldownSeconds, minimum, windowSeconds }: Given): HealthModel {
  return new HealthModel(settings, cooldownSeconds, minimum, (windowSeconds ?? Infinity) * 1_000);
}

function close(got: number | null | undefined, expected: number | null, what: string): void {
  if (expected === null) expect(got, what).toBeNull();
  else expect(Math.abs(got! - expected), `${what}: ${got} for ${expected}`).toBeLessThanOrEqual(1e-9 * (1 + expected));
}

describe("health against its model", () => {
  it("the limiter answers like the model after any history", () => {
    fc.assert(
      fc.property(life, (given) => {
        const { clock, limiter, config, events } = live(given);
        const model = modelOf(given);
        for (const now of given.steps) {
          if (now.do === "advance") {
            clock.advanceMs(now.ms);
          } else if (now.do === "observe" || now.do === "burst") {
            for (let i = 0; i < (now.do === "burst" ? now.size : 1); i++) {
              model.observe(now.reported, clock.now());
              limiter.observe({ provider: "only", outcome: now.reported });
            }
          } else if (now.do === "revive") {
            model.read(clock.now());
            model.revive(clock.now());
            limiter.reviveProvider("only");
          } else if (now.do === "upsert") {
            model.upsert(clock.now());
            limiter.upsertProvider(config);
          } else {
            model.read(clock.now());
            if (now.do === "select") checkSelect(limiter, model, clock.now());
            else checkRead(limiter, model, clock.now());
          }
          compareEvents(events, model.events);
        }
        model.read(clock.now());
        checkRead(limiter, model, clock.now());
        compareEvents(events, model.events);
        expect(limiter.metrics.cooldownsTriggered).toBe(model.cooldownsTriggered);
      }),
      { numRuns: propertyRuns(800) },
    );
  });

  it("reads between events do not change the answers", () => {
    fc.assert(
      fc.property(life, (given) => {
        const quiet = live(given);
        const watched = live(given);
        for (const now of given.steps) {
          if (now.do === "advance") {
            quiet.clock.advanceMs(now.ms);
            for (const part of [now.ms * 0.25, now.ms * 0.75]) {
              watched.clock.advanceMs(part);
              watched.limiter.providerHealth("only");
              watched.limiter.inspect();
            }
          } else if (now.do === "observe") {
            for (const { limiter } of [quiet, watched]) limiter.observe({ provider: "only", outcome: now.reported });
          }
        }
        expect(watched.limiter.inspect()).toEqual(quiet.limiter.inspect());
      }),
      { numRuns: propertyRuns(300) },
    );
  });

  it("time alone makes a provider eligible again after any history", () => {
    const curable = life.filter((given) => given.settings.decayHalfLifeSeconds > 0);
    fc.assert(
      fc.property(curable, (given) => {
        const { clock, limiter } = live(given);
        for (const now of given.steps) {
          if (now.do === "advance") clock.advanceMs(now.ms);
          if (now.do === "observe" && now.reported.status !== "unauthorized") {
            limiter.observe({ provider: "only", outcome: now.reported });
          }
        }
        clock.advanceMs(365 * 24 * HOUR_MS);
        expect(limiter.select("chat").provider).toBe("only");
      }),
      { numRuns: propertyRuns(200) },
    );
  });
});

function checkRead(limiter: GrateLimiter, model: HealthModel, now: number): void {
  const [only] = limiter.inspect().providers;
  expect(only!.state).toBe(model.state(now));
  close(only!.health, model.health(now), "inspected health");
  close(only!.cooldownMs, model.cooldownMs(now), "cooldown");
  close(only!.latencyMs, model.latencyMs, "latency");
  close(limiter.providerHealth("only"), model.health(now), "health");
  expect(limiter.providerInCooldown("only")).toBe(model.cooldownMs(now) > 0);
}

function checkSelect(limiter: GrateLimiter, model: HealthModel, now: number): void {
  if (model.isOpen(now)) {
    const decision = limiter.select("chat");
    const isTrial = model.state(now) !== "available";
    close(decision.breakdown.healthScore, isTrial ? 1 : model.health(now), "scored health");
    return;
  }
  try {
    limiter.select("chat");
  } catch (error) {
    if (!NoAvailableProviders.is(error)) throw error;
    expect(error.reasons.map(({ reason }) => reason)).toEqual([model.state(now)]);
    if (model.state(now) === "cooldown") {
      expect(error.retryAfterMs! - model.probeInMs(now)).toBeGreaterThanOrEqual(-1e-6);
      expect(error.retryAfterMs! - model.probeInMs(now)).toBeLessThan(1 + 1e-6);
    }
    return;
  }
  expect.unreachable(`select answered, but the model says ${model.state(now)}`);
}

function compareEvents(got: readonly ModelEvent[], expected: readonly ModelEvent[]): void {
  expect(got.map(({ event }) => event)).toEqual(expected.map(({ event }) => event));
  got.forEach((event, i) => {
    const other = expected[i]!;
    if (event.event !== "cooldownStarted" || other.event !== "cooldownStarted") return;
    expect(event.status).toBe(other.status);
    close(event.durationMs, other.durationMs, "duration");
  });
}
