import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts"],
  format: ["esm", "cjs"],
  target: "es2022",
  // Leases are disposable; the published types bring the one lib entry they need with them.
  dts: { banner: '/// <reference lib="esnext.disposable" />' },
  clean: true,
  treeshake: true,
  tsconfig: "tsconfig.json",
});
