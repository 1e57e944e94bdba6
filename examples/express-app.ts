// An Express application with metrics, log lines and the live monitor.
//
//   npm install express pino prom-client
//   npx tsx examples/express-app.ts     then: /ask?q=hello, /metrics for Prometheus, and /monitor in a browser
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import type { ReadableStream as NodeStream } from "node:stream/web";
import express from "express";
import { GrateLimiter, NoAvailableProviders } from "grate-limiter";
import { logEvents } from "grate-limiter/logging";
import { monitorHandler } from "grate-limiter/monitor";
import { instrument } from "grate-limiter/prometheus";
import { pino } from "pino";
import { Registry } from "prom-client";

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
  defaults: { timeoutMs: 2_000 },
});

const register = new Registry();
instrument(limiter, { register });
logEvents(limiter, pino());
// The server below listens on loopback only. Elsewhere, `authorize` has to check each request.
const monitor = monitorHandler(limiter, { loopbackOnly: true });

const app = express();

app.get("/ask", async (request, response) => {
  try {
    const { value } = await limiter.run("answer", async ({ provider, signal }) => {
      const answer = await fetch(urls[provider], { method: "POST", body: String(request.query["q"]), signal });
      return answer.ok ? answer.text() : answer;
    });
    if (typeof value === "string") response.send(value);
    else response.status(value.status).end();
  } catch (error) {
    if (!NoAvailableProviders.is(error)) throw error;
    response.status(503).send(error.message);
  }
});

app.get("/metrics", async (_request, response) => {
  response.type(register.contentType).send(await register.metrics());
});

app.get("/monitor", async (request, response) => {
  const closed = new AbortController();
  response.once("close", () => closed.abort());
  const { status, headers, body } = await monitor(
    new Request(`http://${request.headers.host}${request.originalUrl}`, {
      headers: request.headers as Record<string, string>,
      signal: closed.signal,
    }),
  );
  response.writeHead(status, Object.fromEntries(headers));
  if (body === null) response.end();
  else {
    Readable.fromWeb(body as NodeStream)
      .on("error", () => response.end())
      .pipe(response);
  }
});

const server = app.listen(Number(process.env["PORT"] ?? 8080), "127.0.0.1", () => {
  console.log(`listening on port ${(server.address() as AddressInfo).port}`);
});
