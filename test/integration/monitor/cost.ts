// Processor time of the program that has the monitor: with a page open and without, in turns, so that both have the same machine.
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser } from "./browser.ts";
import { until } from "./browser.ts";
import { Served } from "./served-limiter.ts";

const CALLS_PER_SECOND = 1_000;
const TURNS = 4;
const TURN_MS = 1_500;
const MOST_PERCENT = 5;

/** Measures the cost, and throws if it is too high. */
export async function measuredCost(browser: Browser, toNode: ConstructorParameters<typeof Served>[1]): Promise<string> {
  const results: string[] = [];
  for (const count of [4, 100]) {
    const names = Array.from({ length: count }, (_, i) => `provider ${i}`);
    const served = new Served(
      {
        providers: names.map((name) => ({ name, limits: { rpm: 60_000, tpm: 100_000_000 } })),
        capabilities: { chat: names },
      },
      toNode,
    );
    await served.start();
    const load = setInterval(() => {
      for (let i = 0; i < CALLS_PER_SECOND / 100; i++) {
        void served.limiter.run("chat", async () => "done", { tokens: 100 });
      }
    }, 10);
    const { page, close } = await browser.open(served.url);
    const shares = { open: [] as number[], closed: [] as number[] };
    for (let turn = 0; turn < TURNS; turn++) {
      for (const state of ["open", "closed"] as const) {
        await page.goto(state === "open" ? served.url : "about:blank");
        if (state === "open") await until(page, `document.getElementById("connection").dataset.state === "live"`);
        await sleep(300);
        shares[state].push(await processorShare());
      }
    }
    const { inspections } = served;
    await sleep(1_100);
    const isLeftAlone = served.inspections === inspections;
    clearInterval(load);
    await close();
    await served.stop();
    const [open, closed] = [median(shares.open), median(shares.closed)];
    const percent = (open - closed) * 100;
    if (!isLeftAlone) throw new Error("without a page, the limiter is still read");
    if (percent > MOST_PERCENT) throw new Error(`${count} providers: ${percent.toFixed(1)} % of a processor`);
    results.push(
      `${count} providers: ${percent.toFixed(1)} %, from ${(closed * 100).toFixed(1)} to ${(open * 100).toFixed(1)} %`,
    );
  }
  return results.join("; ");
}

/** Processor time of this process, divided by time. */
async function processorShare(): Promise<number> {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  await sleep(TURN_MS);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / (performance.now() - startedAt);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
