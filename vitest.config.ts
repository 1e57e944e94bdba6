import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const IN_REAL_TIME = ["test/integration/http/**/*.test.ts", "test/integration/examples/**/*.test.ts"];

export default defineConfig({
  resolve: { alias: { "grate-limiter": fileURLToPath(new URL("./src/index.ts", import.meta.url)) } },
  test: {
    // All processors, and what the files share is loaded once for each: no test leaves anything behind.
    maxWorkers: "100%",
    isolate: false,
    setupFiles: ["test/support/seed.ts"],
    // Of use against what never ends alone: no test may fail because the machine is slow or busy.
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
        test: { name: "unit", include: ["test/**/*.test.ts"], exclude: IN_REAL_TIME },
      },
      {
        extends: true,
        // When everything else is done, for what is measured in real time must not wait for a processor.
        test: { name: "real time", include: IN_REAL_TIME, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
