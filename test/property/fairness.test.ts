// Fairness between keys: over any interval in which two keys both wait for the same providers, their charges per weight differ
// by at most two largest requests. The charge of a grant is its largest amount / limit over the quotas of its provider.
import fc from "fast-check";
import { expect, it } from "vitest";
import { GrateLimiter, type GrateLimiterOptions, type Lease, MockClock } from "../../src/index.ts";
import { flushPromises } from "../support/limiter-fixture.ts";
import { propertyRuns } from "../support/test-effort.ts";

const KEYS = ["x", "y", "z", undefined] as const;
const MAX_TOKENS = 20;

type Limits = {
  readonly [provider: string]: { readonly rpm?: number; readonly tpm?: number; readonly concurrency?: number };
};
type Step =
  | {
      readonly act: "acquire";
      readonly key: number;
      readonly tokens: number;
      readonly count: number;
      readonly capability: string;
    }
  | { readonly act: "abort"; readonly which: number }
  | { readonly act: "settle"; readonly which: number }
  | { readonly act: "advance"; readonly ms: number };

/** A change of the state of a key: a waiter comes or goes, or is served. */
interface Change {
  readonly key: number;
  readonly waiting: number;
  readonly charge: number;
}

const limits = fc.record(
  {
    rpm: fc.constantFrom(6, 20, 60),
    tpm: fc.constantFrom(40, 100, 400),
    concurrency: fc.constantFrom(1, 3),
  },
  { requiredKeys: ["rpm"] },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      act: fc.constant("acquire" as const),
      key: fc.nat(KEYS.length - 1),
      tokens: fc.constantFrom(1, 5, MAX_TOKENS),
      count: fc.constantFrom(1, 2, 10, 40),
      capability: fc.constantFrom("chat", "mail"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("abort" as const), which: fc.nat() }) },
  { weight: 10, arbitrary: fc.record({ act: fc.constant("settle" as const), which: fc.nat() }) },
  {
    weight: 8,
    arbitrary: fc.record({ act: fc.constant("advance" as const), ms: fc.constantFrom(1, 500, 10_000, 61_000) }),
  },
);

/** Plays a script; returns the changes in order. */
async function play(providers: Limits, weights: readonly number[], steps: readonly Step[]): Promise<Change[]> {
  const clock = new MockClock();
  const names = Object.keys(providers);
  const options: GrateLimiterOptions = {
    clock,
    providers: names.map((name) => ({ name, limits: providers[name]! })),
    capabilities: { chat: names, mail: names },
  };
  const limiter = new GrateLimiter(options);
  const changes: (Change | Lease)[] = [];
  const owners = new Map<Lease, { readonly key: number; readonly tokens: number }>();
  const open: Lease[] = [];
  const waiting = new Map<AbortController, number>();
  limiter.on("leaseGranted", ({ lease }) => changes.push(lease));
  for (const each of steps) {
    if (each.act === "acquire") {
      const { key, tokens, capability } = each;
      for (let i = 0; i < each.count; i++) {
        const controller = new AbortController();
        const { signal } = controller;
        const fairness = { fairnessKey: KEYS[key], fairnessWeight: weights[key] };
        changes.push({ key, waiting: 1, charge: 0 });
        waiting.set(controller, key);
        limiter.acquire(capability, { tokens, maxWaitMs: 1e12, signal, ...fairness }).then(
          (lease) => {
            owners.set(lease, { key, tokens });
            open.push(lease);
            waiting.delete(controller);
          },
          () => {},
        );
        await flushPromises();
      }
    } else if (each.act === "abort" && waiting.size > 0) {
      const [controller, key] = [...waiting][each.which % waiting.size]!;
      waiting.delete(controller);
      changes.push({ key, waiting: -1, charge: 0 });
      controller.abort();
    } else if (each.act === "settle" && open.length > 0) {
      const [lease] = open.splice(each.which % open.length, 1);
      const { tokens } = owners.get(lease!)!;
      lease!.settle({ usage: { tokens } });
    } else if (each.act === "advance") await clock.advanceMsAsync(each.ms);
    await flushPromises();
  }
  limiter.close();
  return changes.map((change) => {
    if (!("granted" in change)) return change;
    const { key, tokens } = owners.get(change)!;
    return { key, waiting: -1, charge: chargeOf(providers[change.provider]!, tokens) };
  });
}

function chargeOf({ rpm, tpm, concurrency }: Limits[string], tokens: number): number {
  return Math.max(rpm ? 1 / rpm : 0, tpm ? tokens / tpm : 0, concurrency ? 1 / concurrency : 0);
}

/** The largest difference of the charges per weight of two keys over an interval in which both wait. */
function largestDifference(changes: readonly Change[], keys: readonly number[], weights: readonly number[]): number {
  const counts = [0, 0];
  let [difference, least, most, largest] = [0, 0, 0, 0];
  for (const { key, waiting, charge } of changes) {
    const side = keys.indexOf(key);
    if (side < 0) continue;
    const both = counts[0]! > 0 && counts[1]! > 0;
    counts[side]! += waiting;
    if (!both) difference = least = most = 0;
    else difference += (charge / weights[key]!) * (side === 0 ? 1 : -1);
    least = Math.min(least, difference);
    most = Math.max(most, difference);
    largest = Math.max(largest, most - least);
  }
  return largest;
}

it("keys that wait for the same providers are charged the same per weight, up to two requests", {
  timeout: 120_000,
}, async () => {
  const weight = fc.constantFrom(1, 1, 2, 0.5);
  const arbitraries = [
    fc.record({ a: limits, b: limits }).map(({ a, b }): Limits => ({ a, b })),
    fc.array(weight, { minLength: KEYS.length, maxLength: KEYS.length }),
    fc.array(step, { minLength: 10, maxLength: 60, size: "max" }),
    fc.boolean(),
  ] as const;
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(...arbitraries, async ({ a, b }, weights, steps, hasTwo) => {
      const providers: Limits = hasTwo ? { a: a!, b: b! } : { a: a! };
      const changes = await play(providers, weights, steps);
      for (let i = 0; i < KEYS.length; i++) {
        for (let j = 0; j < i; j++) {
          const request = Math.max(...Object.values(providers).map((each) => chargeOf(each, MAX_TOKENS)));
          const bound = (2 * request) / Math.min(weights[i]!, weights[j]!);
          const difference = largestDifference(changes, [i, j], weights);
          expect(difference).toBeLessThanOrEqual(bound + 1e-9);
          if (difference > 0) compared++;
        }
      }
    }),
    { numRuns: propertyRuns(400) },
  );
  expect(compared).toBeGreaterThan(50);
});
