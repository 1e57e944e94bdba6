// Entries of the package. The build, the size budgets and the checks of the packed package read this table.
//
// A new entry needs a line here, and in package.json its paths in `exports`, as those of the core, and for the older module
// resolution of TypeScript `"typesVersions": { "*": { "NAME": ["./dist/NAME.d.cts"] } }`. The checks of the packed package
// compare all of them with this table.

/** One entry of the package. `dist/NAME.js`, `.cjs`, `.d.ts` and `.d.cts` are built from `source`. */
export interface Entry {
  readonly source: string;
  /** Measured import, as an application writes it. */
  readonly program: string;
  /** Largest size of that import: minified, gzipped, without the core for other entries than the core. */
  readonly budgetBytes: number;
}

/** Name of the package, under which other entries import the core. */
export const PACKAGE = "grate-limiter";

/** Imports that entries resolve when the application runs, so that all of them share one copy of the core. */
export const OWN_IMPORTS: RegExp = /^grate-limiter(\/|$)/;

/** Name of the core's entry. */
export const CORE_ENTRY = "index";

/** All entries by name. */
export const ENTRIES: { readonly [name: string]: Entry } = {
  // The budget is a little above the current size: growth needs a reason.
  [CORE_ENTRY]: {
    source: "src/index.ts",
    program: 'export { GrateLimiter } from "grate-limiter";',
    budgetBytes: 67_600,
  },
  http: {
    source: "src/http/index.ts",
    program: 'export * from "grate-limiter/http";',
    budgetBytes: 12_000,
  },
  "ai-sdk": {
    source: "src/ai-sdk/index.ts",
    program: 'export * from "grate-limiter/ai-sdk";',
    budgetBytes: 4_000,
  },
  logging: {
    source: "src/logging/index.ts",
    program: 'export * from "grate-limiter/logging";',
    budgetBytes: 2_000,
  },
  opentelemetry: {
    source: "src/opentelemetry/index.ts",
    program: 'export * from "grate-limiter/opentelemetry";',
    budgetBytes: 4_000,
  },
  prometheus: {
    source: "src/prometheus/index.ts",
    program: 'export * from "grate-limiter/prometheus";',
    budgetBytes: 4_000,
  },
  // It contains the fleet, which a limiter without a store does not, and the checks of stores.
  store: {
    source: "src/store/index.ts",
    program: 'export * from "grate-limiter/store";',
    budgetBytes: 14_500,
  },
  redis: {
    source: "src/redis/index.ts",
    program: 'export * from "grate-limiter/redis";',
    budgetBytes: 7_000,
  },
  // The page with its chart library is 35 kB of it; `test/unit/monitor/size.test.ts` has the budget of the handler alone.
  monitor: {
    source: "src/monitor/index.ts",
    program: 'export * from "grate-limiter/monitor";',
    budgetBytes: 42_000,
  },
};

/** Import specifier of an entry relative to the package, as in `exports`: "." for the core. */
export function subpathOf(name: string): string {
  return name === CORE_ENTRY ? "." : `./${name}`;
}

/** Import specifier of an entry as applications write it. */
export function specifierOf(name: string): string {
  return name === CORE_ENTRY ? PACKAGE : `${PACKAGE}/${name}`;
}
