// A server with two places that works on after its client has left: a place is free only when the work has ended.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { GrateLimiter, NoAvailableProviders } from "../../../src/index.ts";

const PLACES = 2;
const CALLS = 12;
/** Longer than an attempt may take by more than a second, the least time for which an abandoned place is kept. */
const SLOW_MS = 1_700;
const ATTEMPT_MS = 200;

let received = 0;
let refused = 0;
let atWork = 0;
const server = createServer(async (_, response) => {
  if (atWork === PLACES) {
    refused++;
    return response.writeHead(429).end();
  }
  atWork++;
  await sleep(++received % 3 === 0 ? SLOW_MS : 20);
  atWork--;
  return response.end("served");
});
beforeAll(() => new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve)));
afterAll(() => void server.close());

it("a server of two places that does not notice a client that left refuses none of 12 calls", async () => {
  const limiter = new GrateLimiter({
    providers: [{ name: "a", limits: { concurrency: PLACES } }],
    capabilities: { chat: ["a"] },
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const call = async () => {
    // The client does not listen to the signal of the attempt, so its promise lasts as long as the work.
    const { value } = await limiter.run("chat", () => fetch(url), { attemptTimeoutMs: ATTEMPT_MS });
    return value.text();
  };
  const results = await Promise.allSettled(Array.from({ length: CALLS }, call));
  expect(refused).toBe(0);
  for (const result of results) {
    // A call can end without an answer if all of its attempts were slow.
    if (result.status === "rejected") expect(result.reason).toSatisfy(NoAvailableProviders.is);
    else expect(result.value).toBe("served");
  }
  expect(results.filter(({ status }) => status === "fulfilled").length).toBeGreaterThanOrEqual(CALLS - 2);
});
