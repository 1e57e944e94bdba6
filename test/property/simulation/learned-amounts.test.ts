// Requests without stated tokens against servers that know the tokens on arrival. Outputs are log-normal as in real
// traces, and the true usage is reported at the settlement, up to 8 s after the headers. Until then the learned size is
// reserved. The bounds are the highest rate of 429s that chance alone can cause.
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, type Usage } from "../../../src/index.ts";
import type { WindowAlgorithm } from "../../support/http/server-limits.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { type Draft, SaturatedSender } from "../../support/simulation/saturated-sender.ts";
import { mean, type ServedShare, servedShare } from "../../support/simulation/served-share.ts";
import { SimulatedNetwork, SimulatedServer, WINDOW_MS } from "../../support/simulation/simulated-servers.ts";
import { isFullEffort } from "../../support/test-effort.ts";

const WINDOWS = 12;
const UNTIL_MS = WINDOWS * WINDOW_MS;
/** The maximum share of 429s and the minimum served share, over all runs together. */
const MOST_REFUSED = 0.005;
const LEAST_SERVED = 0.9;

/** Token lengths of real traces, as parameters mu and sigma of log-normal distributions. */
interface Workload {
  readonly name: string;
  readonly input: readonly [number, number];
  readonly output: readonly [number, number];
}
const CONVERSATIONS: Workload = { name: "conversations", input: [6.63, 0.985], output: [5.02, 0.859] };
const CODE: Workload = { name: "code", input: [6.63, 0.985], output: [2.79, 0.847] };
const REASONING: Workload = { name: "reasoning", input: [5.51, 0.985], output: [6.75, 0.963] };

const meanOf = ([mu, sigma]: readonly [number, number]) => Math.exp(mu + sigma ** 2 / 2);

interface Setting {
  readonly workload: Workload;
  /** The amounts that a request states. */
  readonly says: "nothing" | "its input";
  readonly requestsPerWindow: number;
  readonly algorithm: WindowAlgorithm;
  readonly start: "simultaneous arrivals" | "random arrivals";
  /** The headers of a 429, if any. */
  readonly retryAfterMs?: number;
  /** Number of runs, with seeds from 1. */
  readonly runs: number;
}

function saturate(setting: Setting, seed: number): ServedShare {
  const { workload, says, requestsPerWindow, algorithm, start, retryAfterMs } = setting;
  const clock = new MockClock();
  const network = new SimulatedNetwork(clock, seededRandom(seed));
  const tokens = Math.round(requestsPerWindow * (meanOf(workload.input) + meanOf(workload.output)));
  const limit = { algorithm, counts: "tokens", limit: tokens } as const;
  const server = new SimulatedServer(network, [limit]);
  const limiter = new GrateLimiter({
    clock,
    random: network.random,
    providers: [{ name: "p", limits: { tpm: tokens } }],
    capabilities: { c: ["p"] },
  });
  const draft = (): Draft => {
    const inputTokens = Math.ceil(network.logNormal(...workload.input));
    const outputTokens = Math.ceil(network.logNormal(...workload.output));
    const needs: Usage = says === "its input" ? { inputTokens } : {};
    return {
      amounts: { requests: 1, tokens: inputTokens + outputTokens },
      needs,
      truth: { inputTokens, outputTokens },
      workMs: network.between(20, 80),
      bodyMs: network.between(0, 8_000),
    };
  };
  const sender = new SaturatedSender(network, limiter, server, draft, retryAfterMs);
  if (start === "simultaneous arrivals") sender.arrive(Number.POSITIVE_INFINITY);
  else {
    for (let i = 0; i < requestsPerWindow; i++) network.after(network.between(0, WINDOW_MS), () => sender.arrive(1));
    network.after(WINDOW_MS, () => sender.arrive(Number.POSITIVE_INFINITY));
  }
  clock.advanceMs(UNTIL_MS);
  return servedShare(server, limit, mean(sender.trips.map(({ ms }) => ms)), WINDOW_MS, UNTIL_MS);
}

const SPOKEN: readonly Pick<Setting, "workload" | "says">[] = [
  { workload: CONVERSATIONS, says: "nothing" },
  { workload: CONVERSATIONS, says: "its input" },
  { workload: CODE, says: "nothing" },
  { workload: REASONING, says: "nothing" },
  { workload: REASONING, says: "its input" },
];
const SETTINGS: readonly Omit<Setting, "workload" | "says">[] = [
  // The server does not state a wait, so three consecutive 429s cost a minute.
  { requestsPerWindow: 200, algorithm: "sliding log", start: "simultaneous arrivals", runs: 8 },
  { requestsPerWindow: 200, algorithm: "sliding log", start: "random arrivals", runs: 8 },
  { requestsPerWindow: 600, algorithm: "sliding log", start: "random arrivals", runs: 2 },
  { requestsPerWindow: 200, algorithm: "sliding log", start: "random arrivals", retryAfterMs: 1_000, runs: 3 },
  { requestsPerWindow: 200, algorithm: "fixed window", start: "random arrivals", retryAfterMs: 1_000, runs: 2 },
  { requestsPerWindow: 200, algorithm: "token bucket", start: "random arrivals", retryAfterMs: 1_000, runs: 2 },
];
const CASES = SPOKEN.flatMap((spoken) =>
  SETTINGS.map((setting): [string, Setting] => {
    const { requestsPerWindow, algorithm, start, retryAfterMs } = setting;
    const retryAfter = retryAfterMs === undefined ? "no Retry-After" : "Retry-After";
    const name = `${spoken.workload.name}, says ${spoken.says}, ${requestsPerWindow} a window, ${algorithm}, ${start}, ${retryAfter}`;
    return [name, { ...setting, ...spoken }];
  }),
);

describe("learned token sizes", () => {
  it.each(CASES.filter((_, index) => isFullEffort || index % 7 === 0))(
    "learned sizes cause few 429s near the limit: %s",
    (name, setting) => {
      const runs = Array.from({ length: setting.runs }, (_, i) => saturate(setting, i + 1));
      const asked = runs.reduce((sum, run) => sum + run.asked, 0);
      const refused = runs.reduce((sum, run) => sum + run.refused, 0) / asked;
      const worst = Math.max(...runs.map((run) => run.refused / run.asked));
      const served = mean(runs.map((run) => run.served));
      const least = Math.min(...runs.map((run) => run.served));
      const percent = (share: number, digits = 1) => `${(100 * share).toFixed(digits)} %`;
      console.log(
        `learned, ${name}: ${percent(refused, 2)} 429s of ${asked} (worst run ${percent(worst, 2)}), ` +
          `${percent(served)} of capacity (worst run ${percent(least)}); seeds 1 to ${setting.runs}`,
      );
      expect(refused).toBeLessThanOrEqual(MOST_REFUSED);
      expect(served).toBeGreaterThanOrEqual(LEAST_SERVED);
    },
  );
});
