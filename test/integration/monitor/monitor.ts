// The monitor in a real Chromium, behind real servers. `npm run test:monitor` in the root. Without a Chromium the test says so
// and passes: `apt-get install chromium`, or the path of one in CHROMIUM.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import type { Check } from "../../support/packed/checks.ts";
import { Browser, chromiumPath, expectNoComplaint, type Observed, type Package, until } from "./browser.ts";
import { measuredCost } from "./cost.ts";
import { documentedAdapter, Served, serveWith } from "./served-limiter.ts";

const executablePath = chromiumPath();
if (executablePath === undefined) {
  console.log(
    "SKIPPED: no Chromium is installed, so the monitor was NOT tested in a browser (apt-get install chromium).",
  );
  process.exit(0);
}

const browser = await Browser.launch(executablePath);
const toNode = await documentedAdapter();
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const text = (id: string) => `document.getElementById("${id}").textContent`;
const IS_LIVE = `document.getElementById("connection").dataset.state === "live"`;
const OPTIONS = {
  providers: [
    { name: "openai", limits: { rpm: 60, tpm: 90_000 } },
    { name: "anthropic", limits: { rpm: 30, concurrency: 1 } },
  ],
  capabilities: { chat: ["openai", "anthropic"], embed: ["anthropic"] },
};
const NOW_MS = 1_000;

function expect(isTrue: boolean, problem: string): void {
  if (!isTrue) throw new Error(problem);
}

async function withServed<T>(options: object, body: (served: Served) => Promise<T>, more = {}): Promise<T> {
  const served = new Served(options, toNode, more);
  await served.start();
  try {
    return await body(served);
  } finally {
    await served.stop();
    await served.limiter.close();
  }
}

async function withPage<T>(url: string, body: (observed: Observed) => Promise<T>, view = {}): Promise<T> {
  const observed = await browser.open(url, view);
  try {
    await until(observed.page, IS_LIVE);
    return await body(observed);
  } finally {
    await observed.close();
  }
}

/** Occupies the only place of "anthropic", so that a call of "embed" waits. */
function makeWait(served: Served, key: string): void {
  served.limiter.tryAcquire("embed");
  served.limiter.run("embed", () => 1, { maxWaitMs: 1e6, fairnessKey: key, label: "job 7" }).catch(() => {});
}

async function violationsOf(page: Package): Promise<string> {
  // Evaluated by the debugger, because the page lets no other script in.
  await page.evaluate(axe);
  const { violations } = await page.evaluate("axe.run()");
  return violations
    .map(({ id, nodes }: Package) => `${id}: ${nodes.map(({ html }: Package) => html).join(" ")}`)
    .join("\n");
}

const LOADED_VIEWS = [
  { width: 1_280, scheme: "light" },
  { width: 1_280, scheme: "dark" },
  { width: 390, scheme: "light" },
  { width: 390, scheme: "dark" },
] as const;

const checks: readonly Check[] = [
  {
    name: "the page loads, is live, and shows the providers, without a complaint and a foreign request",
    body: () =>
      withServed(OPTIONS, (served) =>
        withPage(served.url, async (observed) => {
          const { page } = observed;
          await until(page, `document.querySelectorAll("#provider-rows tr").length === 2`);
          await sleep(1_500);
          expect((await page.title()) === "grate-limiter – monitor", "the title");
          await expectNoComplaint(observed);
          return undefined;
        }),
      ),
  },
  {
    name: "a cooldown and a waiting call are shown within 1 s of their event",
    body: async () => {
      const times: number[] = [];
      for (let attempt = 0; attempt < 3; attempt++) {
        const [cooldown, waiting] = await withServed(OPTIONS, (served) =>
          withPage(served.url, async (observed) => {
            const { page } = observed;
            await sleep(200 * attempt);
            served.limiter.observe({ provider: "openai", outcome: { status: 429, retryAfterMs: 45_000 } });
            const shown = await until(page, `/Cooldown\\s*4\\d s left/.test(${text("provider-rows")})`);
            makeWait(served, "tenant 1");
            const waits = await until(
              page,
              `/embed.*tenant 1.*1.*anthropic has 1 of 1 places in use/.test(${text("queue-rows")})`,
            );
            const decisions: string = await page.evaluate(text("decision-rows"));
            expect(/Waits.*embed.*job 7: anthropic has 1 of 1 places/.test(decisions), `decisions: ${decisions}`);
            expect(/Cooldown.*openai.*for 45 s: rate limited/.test(decisions), `decisions: ${decisions}`);
            const said: string = await page.evaluate(text("announcements"));
            expect(/openai.*Cooldown/.test(said), `announced: ${said}`);
            await expectNoComplaint(observed);
            return [shown, waits] as const;
          }),
        );
        times.push(cooldown, waiting);
      }
      expect(Math.max(...times) < NOW_MS, `shown after ${times.map(Math.round).join(", ")} ms`);
      return `at most ${Math.round(Math.max(...times))} ms`;
    },
  },
  ...LOADED_VIEWS.map(({ width, scheme }) => ({
    name: `${width} px, ${scheme}: accessible, nothing too wide, no layout shift while everything changes`,
    body: () =>
      withServed(OPTIONS, (served) =>
        withPage(
          served.url,
          async (observed) => {
            const { page } = observed;
            await until(page, `document.querySelectorAll("#provider-rows tr").length === 2`);
            await sleep(700);
            await page.evaluate("window.shift = 0");
            for (let i = 0; i < 15; i++) served.limiter.tryAcquire("chat", { tokens: 4_000 });
            served.limiter.observe({ provider: "openai", outcome: { status: 429, retryAfterMs: 60_000 } });
            makeWait(served, "tenant 1");
            await until(page, `/Cooldown/.test(${text("provider-rows")}) && ${text("tile-waiting")} === "1"`);
            await sleep(1_500);
            const shift: number = await page.evaluate("window.shift");
            expect(shift < 0.02, `layout shift ${shift} of ${await page.evaluate("shifted.join()")}`);
            const wide: number = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
            expect(wide <= 0, `${wide} px too wide`);
            const dark = await page.evaluate("getComputedStyle(document.body).backgroundColor");
            expect((dark === "rgb(15, 20, 25)") === (scheme === "dark"), `background ${dark}`);
            const tree: string = await page.locator("main").ariaSnapshot();
            const wanted = [
              'table "Providers',
              'columnheader "Provider"',
              'rowheader "openai"',
              'meter "Requests / minute: used and reserved"',
              'table "Wait queue',
              'columnheader "The next one waits for"',
              'table "Latest decisions',
              'region "Latest decisions',
              'searchbox "Find"',
              'checkbox "Without grants"',
            ];
            const missing = wanted.filter((part) => !tree.includes(part));
            expect(missing.length === 0, `the accessibility tree lacks ${missing.join(", ")}\n${tree}`);
            const violations = await violationsOf(page);
            expect(violations === "", violations);
            await expectNoComplaint(observed);
            return `layout shift ${shift.toFixed(4)}`;
          },
          { width, scheme },
        ),
      ),
  })),
  {
    name: "the keyboard reaches every control, and each shows its focus",
    body: () =>
      withServed(OPTIONS, (served) =>
        withPage(served.url, async ({ page }) => {
          await until(page, `document.querySelectorAll("#provider-rows tr").length === 2`);
          const reached: string[] = [];
          for (let i = 0; i < 14; i++) {
            await page.keyboard.press("Tab");
            const focused: string = await page.evaluate(`(() => {
              const { activeElement: element } = document;
              const { outlineStyle, outlineWidth } = getComputedStyle(element);
              const name = element.getAttribute("aria-labelledby") ?? (element.id || element.getAttribute("href") || element.tagName);
              return (outlineStyle === "none" || outlineWidth === "0px" ? "NO FOCUS RING: " : "") + name;
            })()`);
            // After the last element comes the browser itself.
            if (/BODY/.test(focused)) break;
            reached.push(focused);
          }
          const regions = ["providers-title", "queue-title", "decisions-title"];
          const wanted = [
            "#providers",
            "#charts",
            "#queue",
            "#decisions",
            "pause",
            "find",
            "only-problems",
            "without-grants",
          ];
          const missing = [...wanted, ...regions].filter((name) => !reached.includes(name));
          expect(missing.length === 0, `not reached: ${missing.join(", ")}; reached: ${reached.join(", ")}`);
          expect(!reached.some((name) => name.startsWith("NO")), reached.join(", "));
          // Pause, with the keyboard.
          await page.focus("#pause");
          await page.keyboard.press("Enter");
          served.limiter.observe({ provider: "openai", outcome: { status: 429, retryAfterMs: 60_000 } });
          await sleep(1_300);
          expect(!/Cooldown/.test(await page.evaluate(text("provider-rows"))), "a paused page has changed");
          await page.keyboard.press("Enter");
          await until(page, `/Cooldown/.test(${text("provider-rows")})`);
          // The filters.
          await page.focus("#only-problems");
          await page.keyboard.press("Space");
          const shown = `[...document.querySelectorAll("#provider-rows tr")].filter((row) => !row.hidden).length`;
          await until(page, `${shown} === 1`);
          await page.fill("#find", "ANTHROP");
          await until(page, `${shown} === 0 && ${text("no-provider")} === "No provider matches."`);
          await page.keyboard.press("Escape");
          return undefined;
        }),
      ),
  },
  {
    name: "hostile names are text: markup, other directions, and 10,000 characters",
    body: async () => {
      const names = [
        "<script>window.hacked = 1</script>",
        '<img src="https://evil.example/x" onerror="window.hacked = 1">',
        "\u202e\u2066مرحبا gnp.exe",
        "&lt;b&gt;\n\t\0",
        "x".repeat(10_000),
        "W\u0301\u0302\u0303\u0304".repeat(2_500),
      ];
      const options = {
        providers: names.map((name) => ({ name, limits: { concurrency: 1 } })),
        capabilities: Object.fromEntries(names.map((name) => [name, [name]])),
      };
      return withServed(
        options,
        async (served) => {
          for (const width of [1_280, 390]) {
            await withPage(
              served.url,
              async (observed) => {
                const { page } = observed;
                for (const name of names) {
                  served.limiter.tryAcquire(name);
                  served.limiter.run(name, () => 1, { maxWaitMs: 1e6, fairnessKey: name, label: name }).catch(() => {});
                  served.limiter.observe({ provider: name, outcome: { status: 429, retryAfterMs: 60_000 } });
                }
                await until(page, `document.querySelectorAll("#queue-rows tr").length === ${names.length}`);
                await sleep(600);
                const shown: string[] = await page.evaluate(
                  `[...document.querySelectorAll("#provider-rows tr")].map((row) => row.querySelector("bdi").textContent)`,
                );
                expect(shown[0] === names[0] && shown[1] === names[1] && shown[2] === names[2], `shown: ${shown}`);
                expect((await page.evaluate("window.hacked")) === undefined, "a name was executed");
                expect(
                  (await page.evaluate(`document.querySelectorAll("img, main script").length`)) === 0,
                  "a name is markup",
                );
                const heights: number[] = await page.evaluate(
                  `[...document.querySelectorAll("tbody tr")].map((row) => row.offsetHeight)`,
                );
                expect(Math.max(...heights) < 300, `rows of ${heights} px`);
                const wide: number = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
                expect(wide <= 0, `${wide} px too wide`);
                await expectNoComplaint(observed);
              },
              { width },
            );
          }
          return undefined;
        },
        { title: names[0] },
      );
    },
  },
  {
    name: "the security policy blocks markup and scripts that are brought in, which the recorder notices",
    body: () =>
      withServed(OPTIONS, (served) =>
        withPage(served.url, async ({ page }) => {
          const blocked: string[] = await page.evaluate(`(async () => {
            try { document.body.innerHTML += "<p>markup</p>"; } catch {}
            const script = document.createElement("script");
            try { script.text = "window.hacked = 1"; } catch {}
            document.body.append(script);
            await fetch("https://example.com/").catch(() => {});
            await new Promise((resolve) => setTimeout(resolve, 100));
            return violations;
          })()`);
          expect((await page.evaluate("window.hacked")) === undefined, "a script was executed");
          for (const rule of ["require-trusted-types-for", "connect-src"])
            expect(blocked.includes(rule), `blocked: ${blocked}`);
          return blocked.join(", ");
        }),
      ),
  },
  {
    name: "a lost connection is shown, and the page goes on when the server is back",
    body: () =>
      withServed(OPTIONS, (served) =>
        withPage(served.url, async ({ page }) => {
          await served.stop();
          await until(page, `/Connection lost/.test(${text("connection-text")})`);
          served.limiter.observe({ provider: "openai", outcome: { status: 401 } });
          await sleep(500);
          await served.start();
          const ms = await until(page, `${IS_LIVE} && /Key is dead/.test(${text("provider-rows")})`, 15_000);
          return `after ${(ms / 1_000).toFixed(1)} s`;
        }),
      ),
  },
  {
    name: "a page that is not allowed any more says that it has no connection",
    body: async () => {
      let isAllowed = true;
      return withServed(
        OPTIONS,
        (served) =>
          withPage(served.url, async ({ page }) => {
            isAllowed = false;
            const refused = await fetch(served.url);
            expect(refused.status === 403, `status ${refused.status}`);
            await served.stop();
            await served.start();
            await until(page, `/Connection lost/.test(${text("connection-text")})`);
            isAllowed = true;
            await until(page, IS_LIVE, 15_000);
            return undefined;
          }),
        { authorize: () => isAllowed },
      );
    },
  },
  {
    name: "nothing moves by itself, so that reduced motion needs no change",
    body: () =>
      withServed(OPTIONS, (served) =>
        withPage(
          served.url,
          async ({ page }) => {
            for (let i = 0; i < 10; i++) {
              served.limiter.tryAcquire("chat", { tokens: 4_000 });
              await sleep(150);
              const count: number = await page.evaluate("document.getAnimations().length");
              expect(count === 0, `${count} animations`);
            }
            return undefined;
          },
          { reducedMotion: "reduce" },
        ),
      ),
  },
  ...(["node:http", "express", "hono"] as const).map((framework) => ({
    name: `${framework}: the page is live, and the limiter is left alone when the page is closed`,
    body: async () => {
      const served = new Served(OPTIONS, toNode);
      const { url, stop } = await serveWith(framework, served.handler(), toNode);
      try {
        await withPage(url, async (observed) => {
          await until(observed.page, `document.querySelectorAll("#provider-rows tr").length === 2`);
          served.limiter.observe({ provider: "openai", outcome: { status: 429, retryAfterMs: 60_000 } });
          await until(observed.page, `/Cooldown/.test(${text("provider-rows")})`);
          await expectNoComplaint(observed);
        });
        await sleep(700);
        const { inspections } = served;
        await sleep(1_500);
        expect(served.inspections === inspections, "the limiter is still read");
        return undefined;
      } finally {
        stop();
      }
    },
  })),
  {
    name: "100 providers and 5,000 decisions a second: the page stays smooth",
    body: async () => {
      const names = Array.from({ length: 100 }, (_, i) => `provider ${i}`);
      const options = {
        providers: names.map((name) => ({ name, limits: { rpm: 6_000, tpm: 10_000_000 } })),
        capabilities: { chat: names },
      };
      return withServed(options, (served) =>
        withPage(served.url, async (observed) => {
          const { page } = observed;
          const load = setInterval(() => {
            for (let i = 0; i < 50; i++) {
              const lease = served.limiter.tryAcquire("chat", { tokens: 100 });
              if (lease.granted) lease.settle();
            }
          }, 10);
          const session = await page.context().newCDPSession(page);
          await session.send("Performance.enable");
          const durations = async (): Promise<Record<string, number>> => {
            const { metrics } = await session.send("Performance.getMetrics");
            return Object.fromEntries(metrics.map(({ name, value }: Package) => [name, value]));
          };
          await sleep(2_000);
          const granted = served.limiter.metrics.leasesGranted;
          const before = await durations();
          await sleep(3_000);
          const after = await durations();
          const parts = ["TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration"];
          const [busy, ...shares] = parts.map((name) => (after[name]! - before[name]!) / 3) as [number, ...number[]];
          const detail = shares.map((share) => `${(share * 100).toFixed(0)} %`).join(", ");
          const frames: number[] = await page.evaluate(`new Promise((resolve) => {
            const times = [];
            const frame = (now) => (times.push(now), times.at(-1) - times[0] < 2000 ? requestAnimationFrame(frame) : resolve(times));
            requestAnimationFrame(frame);
          })`);
          const perSecond = (served.limiter.metrics.leasesGranted - granted) / 5;
          clearInterval(load);
          const gaps = frames
            .slice(1)
            .map((at, i) => at - frames[i]!)
            .sort((a, b) => a - b);
          const p99 = gaps[Math.floor(gaps.length * 0.99)]!;
          const rows: number = await page.evaluate(`document.querySelectorAll("#decision-rows tr").length`);
          const nodes: number = await page.evaluate(`document.querySelectorAll("*").length`);
          expect(rows <= 200 && nodes < 12_000, `${rows} decisions, ${nodes} elements`);
          expect(
            busy < 0.5 && p99 < 500,
            `busy for ${busy} of the time (script, layout, style: ${detail}); 99 % of frames within ${p99} ms`,
          );
          await expectNoComplaint(observed);
          return `${Math.round(perSecond)} grants a second; ${Math.round(frames.length / 2)} frames a second, 99 % within ${Math.round(p99)} ms; busy for ${(busy * 100).toFixed(0)} % (script, layout, style: ${detail})`;
        }),
      );
    },
  },
  {
    name: "cost of an open page at 1,000 calls a second: at most 5 % of a processor",
    body: () => measuredCost(browser, toNode),
  },
];

console.log(`Chromium ${browser.version}`);
let failed = 0;
let passed = 0;
// One after another, because many checks are about time.
const [wanted = ""] = process.argv.slice(2);
for (const { name, body } of checks.filter(({ name }) => name.includes(wanted))) {
  const startedAt = performance.now();
  try {
    const note = await body();
    passed++;
    console.log(
      `ok    ${name}${note === undefined ? "" : ` (${note})`} ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`,
    );
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}\n${String(error instanceof Error ? error.message : error).replace(/^/gm, "      ")}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
await browser.close();
process.exit(failed === 0 && passed > 0 ? 0 : 1);
