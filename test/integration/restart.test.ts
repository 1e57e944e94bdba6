// Real processes that are stopped in the middle of their requests and started again, against a real server with a limit.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const PROGRAM = fileURLToPath(new URL("../support/restart-program.ts", import.meta.url));
const LIMIT = 30;
const WINDOW_MS = 3_000;

/** Stops a process four times, each time shortly after its first request. Returns what the server has answered. */
async function restarts(mode: "restore" | "cold"): Promise<{ served: number; refused: number }> {
  const arrivals: number[] = [];
  const counts = { served: 0, refused: 0 };
  let arrived: () => void = () => {};
  const server = createServer(async (_, response) => {
    const now = performance.now();
    while (arrivals.length > 0 && arrivals[0]! <= now - WINDOW_MS) arrivals.shift();
    const isServed = arrivals.length < LIMIT;
    if (isServed) arrivals.push(now);
    counts[isServed ? "served" : "refused"]++;
    arrived();
    await pause(5);
    response.writeHead(isServed ? 200 : 429).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const folder = mkdtempSync(join(tmpdir(), "restart-"));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    for (let i = 0; i < 4; i++) {
      const first = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      const args = ["--import", "tsx", PROGRAM, url, join(folder, "snapshot.json"), mode];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
      await first;
      await pause(8 + 9 * i);
      child.kill("SIGTERM");
      await once(child, "exit");
    }
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  }
  return counts;
}

it("a process that restores its snapshot causes no 429 after restarts", { timeout: 60_000 }, async () => {
  const { served, refused } = await restarts("restore");
  expect(served).toBeGreaterThan(LIMIT / 2);
  expect(refused).toBe(0);
});

it("without the snapshot the same restarts cause 429s", { timeout: 60_000 }, async () => {
  expect((await restarts("cold")).refused).toBeGreaterThan(0);
});
