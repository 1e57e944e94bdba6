import { defineConfig } from "tsup";
import { ENTRIES, OWN_IMPORTS } from "./scripts/entries.ts";
import { writeMonitorPage } from "./scripts/monitor-page.ts";

// A module of the source.
writeMonitorPage();

export default defineConfig({
  entry: Object.fromEntries(Object.entries(ENTRIES).map(([name, { source }]) => [name, source])),
  // Entries import the core by the package's own name. It stays an import, in the code and in the types: with a copy in each
  // entry, classes of one entry would not be those of another.
  external: [OWN_IMPORTS],
  splitting: false,
  format: ["esm", "cjs"],
  target: "es2022",
  // Leases are disposable and calls abortable: the types must work with a bare `lib: ["es2022"]`, which lacks both. The
  // HTTP entry also names the types of `fetch`.
  dts: {
    banner:
      '/// <reference lib="esnext.disposable" />\ndeclare global { interface AbortSignal {} interface Request {} interface RequestInit {} interface Response {} interface URL {} }',
  },
  clean: true,
  treeshake: true,
  // Inlines constants instead of reading them from the module, which saves a twentieth of the time of a decision.
  minifySyntax: true,
  tsconfig: "tsconfig.json",
});
