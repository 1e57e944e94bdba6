// The browser of the test, and pages that record everything that must not happen.
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

// biome-ignore lint/suspicious/noExplicitAny: the packages are installed on demand, so their types are not there.
export type Package = any;

export const load = (name: string): Promise<Package> => import(name);

const PATHS = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Path of an installed Chromium; undefined: none is installed. */
export function chromiumPath(): string | undefined {
  return PATHS.find((path): path is string => path !== undefined && existsSync(path));
}

export interface View {
  readonly width?: number;
  readonly scheme?: "light" | "dark";
  readonly reducedMotion?: "reduce" | "no-preference";
}

/** A page, and its complaints. */
export interface Observed {
  readonly page: Package;
  /** Console messages, exceptions and violations of the security policy. */
  readonly complaints: string[];
  /** Addresses of requests to other hosts than that of the page. */
  readonly foreign: string[];
  close(): Promise<void>;
}

export class Browser {
  readonly #browser: Package;

  private constructor(browser: Package) {
    this.#browser = browser;
  }

  static async launch(executablePath: string): Promise<Browser> {
    const { chromium } = await load("playwright-core");
    return new Browser(await chromium.launch({ executablePath, args: ["--no-sandbox"] }));
  }

  get version(): string {
    return this.#browser.version();
  }

  /** Opens an address and records from its first byte. */
  async open(
    url: string,
    { width = 1_280, scheme = "light", reducedMotion = "no-preference" }: View = {},
  ): Promise<Observed> {
    const context = await this.#browser.newContext({
      ...{ viewport: { width, height: 900 }, colorScheme: scheme, reducedMotion },
    });
    const page = await context.newPage();
    const complaints: string[] = [];
    const foreign: string[] = [];
    const { origin } = new URL(url);
    page.on("console", (message: Package) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error: Error) => complaints.push(`exception: ${error.message}`));
    context.on("request", (request: Package) => {
      const address: string = request.url();
      if (!address.startsWith(`${origin}/`) && !address.startsWith("data:")) foreign.push(address);
    });
    await page.addInitScript(`
      window.shift = 0;
      window.shifted = [];
      window.violations = [];
      document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
          if (entry.hadRecentInput) continue;
          window.shift += entry.value;
          for (const { node } of entry.sources) shifted.push(node?.id || node?.className || node?.nodeName);
        }
      }).observe({ type: "layout-shift", buffered: true });
    `);
    await page.goto(url);
    return { page, complaints, foreign, close: () => context.close() };
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}

/** Throws unless nothing that must not happen has happened on a page. */
export async function expectNoComplaint({ page, complaints, foreign }: Observed): Promise<void> {
  const violations: string[] = await page.evaluate("violations");
  const all = [
    ...complaints,
    ...foreign.map((url) => `request to ${url}`),
    ...violations.map((rule) => `violation of ${rule}`),
  ];
  if (all.length > 0) throw new Error(all.join("\n"));
}

const POLL_MS = 20;

/** Waits until an expression in the page is true. Returns the milliseconds that it took. */
export async function until(page: Package, expression: string, timeoutMs = 10_000): Promise<number> {
  const startedAt = performance.now();
  // The page's policy forbids `eval`, which the function of the library for this purpose needs.
  while (!(await page.evaluate(expression))) {
    if (performance.now() - startedAt > timeoutMs) throw new Error(`not true after ${timeoutMs} ms: ${expression}`);
    await sleep(POLL_MS);
  }
  return performance.now() - startedAt;
}
