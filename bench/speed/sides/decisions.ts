// This package as a side: `decisions anticipatory` or `decisions classic`. See ../work.ts.
import { GrateLimiter, MockClock } from "grate-limiter";
import type { Setup } from "../work.ts";
import { answerLines, type Operations } from "./answer-lines.ts";

const STATUSES = ["success", "server_error", "rate_limited"] as const;

function decisions(setup: Setup, profile: "anticipatory" | "classic"): Operations {
  const { requests, tokens, drained } = setup;
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

  function select(count: number): number {
    let check = 0;
    for (let i = 0; i < count; i++) {
      clock.advanceMs(steps[next++ & mask]!);
      const decision = limiter.select("c");
      check += decision.score;
      for (const { provider, score } of decision.alternatives) check += score + provider.length;
    }
    return check;
  }

  function observe(count: number): number {
    for (let i = 0; i < count; i++) {
      const provider = names[next % names.length]!;
      const at = next++ & mask;
      clock.advanceMs(steps[at]!);
      const usage = { requests: 1, tokens: amounts[at]! };
      limiter.observe({ provider, usage, outcome: { status: statuses[at]!, latencyMs: latencies[at]! } });
    }
    return 0;
  }

  function both(count: number): number {
    let check = 0;
    for (let i = 0; i < count; i++) {
      const at = next++ & mask;
      clock.advanceMs(steps[at]!);
      const decision = limiter.select("c");
      check += decision.score;
      for (const { provider, score } of decision.alternatives) check += score + provider.length;
      const usage = { requests: 1, tokens: amounts[at]! };
      limiter.observe({
        provider: decision.provider,
        usage,
        outcome: { status: statuses[at]!, latencyMs: latencies[at]! },
      });
    }
    return check;
  }

  function bothUnread(count: number): number {
    let check = 0;
    for (let i = 0; i < count; i++) {
      const at = next++ & mask;
      clock.advanceMs(steps[at]!);
      const { provider, score } = limiter.select("c");
      check += score;
      const usage = { requests: 1, tokens: amounts[at]! };
      limiter.observe({ provider, usage, outcome: { status: statuses[at]!, latencyMs: latencies[at]! } });
    }
    return check;
  }

  for (const provider of names) {
    const usage = { requests: Math.floor(requests * drained), tokens: Math.floor(tokens * drained) };
    limiter.observe({ provider, usage, outcome: { status: "success", latencyMs: 50 } });
  }
  observe(setup.prefill);
  return { select, observe, both, "both-unread": bothUnread }[setup.work];
}

await answerLines((setup: Setup) => decisions(setup, process.argv[2] as "anticipatory" | "classic"));
