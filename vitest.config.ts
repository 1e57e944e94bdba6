import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfigFnObject } from "vitest/config";
import { writeMonitorPage } from "./scripts/monitor-page.ts";

// A module of the source, which the build makes.
writeMonitorPage();

const REAL_TIME = ["test/integration/http/**/*.test.ts", "test/integration/examples/**/*.test.ts"];
/** Servers with real limits, saturated for almost a minute each. */
const LONG = ["test/integration/http/saturation.test.ts", "test/integration/http/mixed-endings.test.ts"];

/** `vitest run` has the short version of every expensive test; `vitest run --mode full` (`npm run test:full`) has all. */
const config: ViteUserConfigFnObject = defineConfig(({ mode }) => ({
  resolve: {
    alias: [
      { find: /^grate-limiter$/, replacement: fileURLToPath(new URL("./src/index.ts", import.meta.url)) },
      {
        find: /^grate-limiter\/([\w-]+)$/,
        replacement: fileURLToPath(new URL("./src/$1/index.ts", import.meta.url)),
      },
    ],
  },
  test: {
    // All processors and one module cache per worker, because no test leaves state behind.
    maxWorkers: "100%",
    isolate: false,
    setupFiles: ["test/support/seed.ts"],
    // A limit for tests that never end. No test may fail because the machine is slow or busy.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      reporter: ["text", "json-summary"],
      thresholds: { lines: 95 },
    },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: [...REAL_TIME, "**/node_modules/**"],
          env: { TEST_EFFORT: mode },
        },
      },
      {
        extends: true,
        // Runs after the unit project, because measurements in real time must not wait for a processor.
        test: {
          name: "real time",
          include: REAL_TIME,
          exclude: mode === "full" ? [] : LONG,
          env: { TEST_EFFORT: mode },
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
}));

export default config;
