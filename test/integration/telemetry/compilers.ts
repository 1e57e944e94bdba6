// Compiles `types.ts` with the oldest, the present and the newest TypeScript.
import { execFileSync } from "node:child_process";

for (const compiler of ["typescript-5.4", "typescript", "typescript-newest"]) {
  const command = [`node_modules/${compiler}/bin/tsc`, "-p", "test/integration/telemetry/tsconfig.types.json"];
  execFileSync(process.execPath, command, { stdio: "inherit" });
  console.log(`types compile with ${compiler}`);
}
