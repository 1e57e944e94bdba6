// Checks of the books of a limiter after its last call: nothing is in flight, no count is negative, the metrics add up.
import type { GrateLimiter, MockClock } from "../../../src/index.ts";

/** Contradictions in the books, now and after all windows; empty: none. `sent`: requests that the providers received. */
export async function brokenBooks(limiter: GrateLimiter, clock: MockClock, sent: number): Promise<readonly string[]> {
  const broken: string[] = [];
  const expect = (isTrue: boolean, problem: string) => {
    if (!isTrue) broken.push(problem);
  };
  const { providers, waiting, oldestLeaseMs, metrics } = limiter.inspect();
  expect(Object.keys(waiting).length === 0, `calls wait: ${JSON.stringify(waiting)}`);
  expect(oldestLeaseMs === null, `a lease is open since ${oldestLeaseMs} ms`);
  const { leasesGranted, leasesSettled, leasesReleased, leasesExpired } = metrics;
  const ended = leasesSettled + leasesReleased + leasesExpired;
  expect(leasesGranted === ended, `${leasesGranted} leases were granted, ${ended} ended`);
  expect(leasesGranted === sent, `${leasesGranted} leases were granted, ${sent} requests were sent`);
  expect(leasesExpired === 0, `${leasesExpired} leases expired`);
  for (const [name, count] of Object.entries(metrics)) {
    expect(Number.isSafeInteger(count) && count >= 0, `metrics.${name} is ${count}`);
  }
  for (const { name, inFlight, health, quotas } of providers) {
    expect(inFlight === 0, `${name} has ${inFlight} requests in flight`);
    expect(health >= 0 && health <= 1, `${name} has health ${health}`);
    for (const { dimension, used, inFlight: reserved, remaining, ceiling } of quotas) {
      expect(used >= 0 && remaining >= 0, `${name} ${dimension}: used ${used}, remaining ${remaining}`);
      expect(reserved === 0, `${name} ${dimension}: ${reserved} in flight`);
      expect(
        used + remaining === ceiling || used > ceiling,
        `${name} ${dimension}: ${used} + ${remaining} of ${ceiling}`,
      );
    }
  }
  await clock.advanceMsAsync(2 * 3_600_000);
  for (const { name, quotas } of limiter.inspect().providers) {
    for (const { dimension, used } of quotas) expect(used === 0, `${name} ${dimension}: ${used} used after its window`);
  }
  return broken;
}
