// process-exit.test.ts runs this program in a separate process, and checks its output and the time of its exit.
import { GrateLimiter } from "../../src/index.ts";

const limiter = new GrateLimiter({
  providers: [{ name: "a", quotas: [{ dimension: "requests", limit: 1, window: { seconds: 0.4 } }] }],
  capabilities: { chat: ["a"] },
});
const lease = limiter.tryAcquire("chat");
if (lease.granted) lease.headersReceived();
const controller = new AbortController();

switch (process.argv[2]) {
  case "open lease":
    break;
  case "waiter":
    // Nothing else keeps this process alive.
    limiter.acquire("chat").then(() => console.log("granted"));
    break;
  case "aborted waiter":
    limiter.acquire("chat", { signal: controller.signal, maxWaitMs: 50_000 }).catch(() => console.log("aborted"));
    limiter.acquire("chat", { signal: AbortSignal.timeout(1e8), maxWaitMs: 50_000 }).catch(() => console.log("closed"));
    controller.abort();
    limiter.close();
    break;
  case "stopped batch":
  case "aborted batch": {
    const { signal } = controller;
    // The next item waits for the limit, which is spent.
    const batch = limiter.map("chat", [1, 2, 3], () => 1, {
      ...(process.argv[2] === "stopped batch" ? { stopSignal: signal } : { signal }),
    });
    batch.toArray().then(
      () => console.log("stopped"),
      () => console.log("aborted"),
    );
    setTimeout(() => controller.abort(), 20);
    break;
  }
  case "refused waiter":
    limiter.acquire("chat", { maxWaitMs: 10 }).catch(() => console.log("refused"));
    break;
}
