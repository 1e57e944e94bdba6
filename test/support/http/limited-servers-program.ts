// The process of the servers. `limited-servers.ts` starts it and passes the limits to enforce.
// The servers simulate the network: a request arrives after 0 to `delayMs` and is counted then, a response takes as
// long again, and a closed connection is noticed after the same delay.
import { once } from "node:events";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../seeded-random.ts";
import type { Launch, Listening, Seen, SeenRequest, ServerPlan } from "./limited-servers.ts";
import { windowLimit } from "./server-limits.ts";

const TICKS_PER_MS = 1_000;
const STREAM_CHUNKS = 8;
const STREAM_PAUSE_MS = 40;

const launch = JSON.parse(process.argv[2]!) as Launch;
const random = seededRandom(launch.seed);
const delay = () => random() * launch.delayMs;

type Noted = { -readonly [K in keyof SeenRequest]: SeenRequest[K] };

/** All limits of one server, and the requests that it saw. */
class LimitedServer {
  readonly seen: { readonly requests: Noted[]; mostAtOnce: number } = { requests: [], mostAtOnce: 0 } satisfies Seen;
  readonly #plan: ServerPlan;
  readonly #windows;
  #atOnce = 0;

  constructor(plan: ServerPlan) {
    this.#plan = plan;
    this.#windows = plan.windows.map(({ algorithm, counts, limit, windowMs }) => {
      const windowTicks = windowMs * TICKS_PER_MS;
      const phase = Math.floor(random() * windowTicks);
      return { name: `${counts}, ${algorithm}`, counts, limit: windowLimit(algorithm, limit, windowTicks, phase) };
    });
  }

  async answer(url: URL, response: ServerResponse): Promise<void> {
    const tokens = Number(url.searchParams.get("tokens") ?? 0);
    const answer = url.searchParams.get("answer") ?? "200";
    const hungUp = new AbortController();
    response.once("close", () => {
      // Everything that the client sent before it closed the connection arrives first, so the close has a delay, too.
      setTimeout(() => hungUp.abort(), delay());
    });
    await sleep(delay());
    const seen = this.#arrived(tokens);
    const backMs = delay();
    if (seen.status === 429) {
      await sleep(backMs);
      response.writeHead(429).end("too many");
      return;
    }
    const [leastMs, mostMs] = this.#plan.workMs;
    this.seen.mostAtOnce = Math.max(this.seen.mostAtOnce, ++this.#atOnce);
    try {
      if (answer === "silence") {
        seen.status = 0;
        await sleep(60_000, undefined, { signal: hungUp.signal });
      }
      await sleep(leastMs + random() * (mostMs - leastMs), undefined, { signal: hungUp.signal });
      if (answer === "stream") {
        // One delay for the whole response, because a connection keeps its order.
        setTimeout(() => response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders(), backMs);
        for (let i = 0; i < STREAM_CHUNKS; i++) {
          await sleep(STREAM_PAUSE_MS, undefined, { signal: hungUp.signal });
          setTimeout(() => response.write(`data: ${i}\n\n`), backMs);
        }
        setTimeout(() => response.end("data: [DONE]\n\n"), backMs);
      } else {
        seen.status = Number(answer);
        setTimeout(() => response.writeHead(seen.status).end(`${seen.status}`), backMs);
      }
    } catch (error) {
      if (!hungUp.signal.aborted) throw error;
      seen.isLeft = true;
    } finally {
      this.#atOnce--;
    }
  }

  /** Counts the request in all limits or in none. */
  #arrived(tokens: number): Noted {
    const tick = Math.floor(performance.now() * TICKS_PER_MS);
    const amountOf = (counts: "requests" | "tokens") => (counts === "requests" ? 1 : tokens);
    const full = this.#windows.find(({ counts, limit }) => !limit.fits(amountOf(counts), tick));
    const isCrowded = this.#atOnce >= (this.#plan.places ?? Number.POSITIVE_INFINITY);
    const refusedBy = full?.name ?? (isCrowded ? "concurrency" : undefined);
    if (refusedBy === undefined) for (const { counts, limit } of this.#windows) limit.count(amountOf(counts), tick);
    const seen = {
      at: performance.timeOrigin + performance.now(),
      tokens,
      status: refusedBy === undefined ? 200 : 429,
      isLeft: false,
      ...(refusedBy !== undefined && { refusedBy }),
    };
    this.seen.requests.push(seen);
    return seen;
  }
}

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  // Longer than any pause of a test: a connection that closes while a request is being sent would fail the test.
  server.keepAliveTimeout = 120_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

// Ctrl-C reaches the whole process group; these servers end with their parent.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit());

const servers = launch.servers.map((plan) => [plan.name, new LimitedServer(plan)] as const);
const urls: { [name: string]: string } = {};
for (const [name, server] of servers) {
  urls[name] = await listen((request, response) => {
    void server.answer(new URL(request.url ?? "/", "http://loopback"), response);
  });
}
const controlUrl = await listen((_request, response) => {
  response.end(JSON.stringify(Object.fromEntries(servers.map(([name, { seen }]) => [name, seen]))));
});
process.send?.({ urls, controlUrl } satisfies Listening);
