// A process that starts, and decides 200 times a second: `cold anticipatory` or `cold classic`. On the real clock, with the work
// of a program that speaks JSON between the calls. The second argument is the setup.
import { GrateLimiter } from "grate-limiter";
import type { ColdSetup } from "../cold.ts";

const profile = process.argv[2] as "anticipatory" | "classic";
const { decisions, everyMs, providers, body } = JSON.parse(process.argv[3]!) as ColdSetup;
const names = Array.from({ length: providers }, (_, i) => `p${i}`);
const limiter = new GrateLimiter<string>({
  profile,
  providers: names.map((name) => ({
    name,
    quotas: [
      { dimension: "requests", limit: 1e6, window: "minute" },
      { dimension: "tokens", limit: 1e9, window: "minute" },
    ],
  })),
  capabilities: { c: names },
});

const response = JSON.stringify(body);
const nanoseconds: number[] = [];
let check = 0;
for (let i = 0; i < decisions; i++) {
  await new Promise((resolve) => setTimeout(resolve, everyMs));
  check += JSON.stringify({ ...body, i }).length;

  const selecting = process.hrtime.bigint();
  const decision = limiter.select("c");
  for (const { provider, score } of decision.alternatives) check += score + provider.length;
  const selected = process.hrtime.bigint();

  const { usage } = JSON.parse(response) as ColdSetup["body"];

  const observing = process.hrtime.bigint();
  limiter.observe({
    provider: decision.provider,
    capability: "c",
    usage: { requests: 1, tokens: usage.tokens },
    outcome: { status: "success", latencyMs: 50 },
  });
  const observed = process.hrtime.bigint();
  nanoseconds.push(Number(selected - selecting + (observed - observing)));
}
process.stdout.write(`${JSON.stringify({ nanoseconds, check })}\n`);
