// This package as a side: `decisions anticipatory` or `decisions classic`. See ../work.ts.
import { GrateLimiter, MockClock } from "grate-limiter";
import type { Setup } from "../work.ts";
import { answerLines, type Operations } from "./answer-lines.ts";

const STATUSES = ["success", "server_error", "rate_limited"] as const;
// The longest cooldown that a provider can ask for: 48 hours, which no run reaches in steps of some milliseconds.
const COOLDOWN_MS = 48 * 3_600_000;

function decisions(setup: Setup, profile: "anticipatory" | "classic"): Operations {
  const { requests, tokens, drained, capability, isDemandStated } = setup;
  const { steps, tokens: amounts, latencies } = setup.tape;
  const statuses = setup.tape.statuses.map((status) => STATUSES[status]!);
  const mask = steps.length - 1;
  const names = Array.from({ length: setup.providers }, (_, i) => `p${i}`);
  const clock = new MockClock();
  const limiter = new GrateLimiter<string>({
    profile,
    clock,
    providers: names.map((name) => ({
      name,
      quotas: [
        { dimension: "requests", limit: requests, window: "minute" },
        { dimension: "tokens", limit: tokens, window: "minute" },
      ],
    })),
    capabilities: { c: names },
  });
  let next = 0;

  /** The clock advances to the next operation. Returns the index of the operation on the tape. */
  function step(): number {
    const at = next++ & mask;
    clock.advanceMs(steps[at]!);
    return at;
  }

  function decide(at: number) {
    return isDemandStated ? limiter.select("c", { tokens: amounts[at]! }) : limiter.select("c");
  }

  // Two literals, because a caller without a capability leaves the key out.
  function tell(provider: string, at: number): void {
    const usage = { requests: 1, tokens: amounts[at]! };
    const outcome = { status: statuses[at]!, latencyMs: latencies[at]! };
    if (capability) limiter.observe({ provider, capability: "c", usage, outcome });
    else limiter.observe({ provider, usage, outcome });
  }

  function select(count: number): number {
    let check = 0;
    for (let i = 0; i < count; i++) {
      const decision = decide(step());
      check += decision.score;
      for (const { provider, score } of decision.alternatives) check += score + provider.length;
    }
    return check;
  }

  function observe(count: number): number {
    for (let i = 0; i < count; i++) {
      const provider = names[next % names.length]!;
      tell(provider, step());
    }
    return 0;
  }

  function both(count: number): number {
    let check = 0;
    for (let i = 0; i < count; i++) {
      const at = step();
      const decision = decide(at);
      check += decision.score;
      for (const { provider, score } of decision.alternatives) check += score + provider.length;
      tell(decision.provider, at);
    }
    return check;
  }

  function lease(count: number): number {
    let check = 0;
    for (let i = 0; i < count; i++) {
      const at = step();
      const granted = isDemandStated ? limiter.tryAcquire("c", { tokens: amounts[at]! }) : limiter.tryAcquire("c");
      if (!granted.granted) throw new Error("tryAcquire was refused");
      check += granted.provider.length;
      const usage = { tokens: amounts[at]! };
      granted.settle({ status: statuses[at]!, usage, latencyMs: latencies[at]! });
    }
    return check;
  }

  async function acquire(count: number): Promise<number> {
    let check = 0;
    for (let i = 0; i < count; i++) {
      const at = step();
      const granted = await (isDemandStated ? limiter.acquire("c", { tokens: amounts[at]! }) : limiter.acquire("c"));
      check += granted.provider.length;
      const usage = { tokens: amounts[at]! };
      granted.settle({ status: statuses[at]!, usage, latencyMs: latencies[at]! });
    }
    return check;
  }

  async function run(count: number): Promise<number> {
    let check = 0;
    const empty = async (): Promise<number> => 1;
    for (let i = 0; i < count; i++) {
      step();
      check += (await limiter.run("c", empty)).value;
    }
    return check;
  }

  // Without a capability, because the engine learns the size of requests from observations that name one.
  for (const provider of names) {
    const usage = { requests: Math.floor(requests * drained), tokens: Math.floor(tokens * drained) };
    limiter.observe({ provider, usage, outcome: { status: "success", latencyMs: 50 } });
  }
  observe(setup.prefill);
  if (setup.hasCooldown) {
    limiter.observe({ provider: names[0]!, outcome: { status: 429, retryAfterMs: COOLDOWN_MS } });
  }
  return { select, observe, both, lease, acquire, run }[setup.work];
}

await answerLines((setup: Setup) => decisions(setup, process.argv[2] as "anticipatory" | "classic"));
