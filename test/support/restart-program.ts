// A process that sends as many requests as its limiter allows, until SIGTERM. Arguments: URL of the server, snapshot file, and
// "restore" or "cold".
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { GrateLimiter } from "../../src/index.ts";

const [url = "", file = "", mode = ""] = process.argv.slice(2);
const limiter = new GrateLimiter({
  providers: [{ name: "a", quotas: [{ dimension: "requests", limit: 30, window: { seconds: 3 } }] }],
  capabilities: { chat: ["a"] },
  snapshot: mode === "restore" && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null,
});

process.once("SIGTERM", () => {
  writeFileSync(file, JSON.stringify(limiter.snapshot()));
  process.exit();
});

async function work(): Promise<void> {
  for (;;) {
    const lease = await limiter.acquire("chat", { maxWaitMs: 60_000 });
    const response = await fetch(url);
    await response.text();
    lease.settle(response.status === 200 ? "success" : "client_error");
  }
}
await Promise.all(Array.from({ length: 8 }, work));
