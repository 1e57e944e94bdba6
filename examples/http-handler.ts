// An HTTP server that answers within 2 s, or immediately states when to try again.
//
//   npx tsx examples/http-handler.ts       then: curl -i "localhost:8080/?q=hello"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { GrateLimiter, NoAvailableProviders } from "grate-limiter";

const urls = {
  first: process.env["FIRST_URL"] ?? "https://first.example.com",
  second: process.env["SECOND_URL"] ?? "https://second.example.com",
};

const limiter = new GrateLimiter({
  providers: [
    { name: "first", limits: { rpm: 60, concurrency: 10 } },
    { name: "second", limits: { rpm: 20 }, priority: 5 },
  ],
  capabilities: { answer: ["first", "second"] },
  // The whole call: waiting, all attempts, and the pauses between them.
  defaults: { timeoutMs: 2_000, attemptTimeoutMs: 1_200 },
});

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A client that disconnects leaves the queue.
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  try {
    const ask = { method: "POST", body: new URL(request.url ?? "/", "http://localhost").searchParams.get("q") };
    const { value, provider } = await limiter.run(
      "answer",
      async ({ provider, signal }) => {
        const answer = await fetch(urls[provider], { ...ask, signal });
        return { ok: answer.ok, status: answer.status, headers: answer.headers, text: await answer.text() };
      },
      { signal: gone.signal },
    );
    response.writeHead(value.status, { "served-by": provider }).end(value.text);
  } catch (error) {
    if (gone.signal.aborted) return;
    if (!NoAvailableProviders.is(error)) {
      console.error(error);
      response.writeHead(500).end();
    } else if (error.retryAfterSeconds === null) response.writeHead(503).end();
    else response.writeHead(429, { "retry-after": `${error.retryAfterSeconds}` }).end();
  }
}

const server = createServer(handle);
server.listen(process.env["PORT"] ?? 8080, () => console.log(`listening on ${JSON.stringify(server.address())}`));
