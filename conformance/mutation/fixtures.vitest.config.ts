import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const pathOf = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

export default defineConfig({
  root: pathOf(""),
  resolve: { alias: { "grate-limiter": pathOf("src/index.ts") } },
  test: { include: ["test/conformance.test.ts", "conformance/mutation/import.test.ts"] },
});
