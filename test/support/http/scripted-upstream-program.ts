// The process of the scripted servers. All of them share one port, and the first part of the path selects the server.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { Reply, Rule, SeenRequest } from "./scripted-upstream.ts";

interface Script {
  /** NaN before the first request. */
  startedAt: number;
  readonly rules: readonly Rule[];
  readonly seen: SeenRequest[];
}

const scripts = new Map<string, Script>();

async function control(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === "POST") {
    const rules = JSON.parse(await textOf(request)) as Rule[];
    scripts.set(name, { startedAt: Number.NaN, rules, seen: [] });
  }
  response.end(JSON.stringify(scripts.get(name)?.seen ?? null));
}

async function answer(script: Script, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (Number.isNaN(script.startedAt)) script.startedAt = performance.now();
  const atMs = performance.now() - script.startedAt;
  const place = script.seen.length;
  const rule = script.rules.find(({ requests = Number.POSITIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY }) => {
    return place < requests && atMs < untilMs;
  });
  const seen: SeenRequest = { atMs, body: {}, ending: null, endedMs: null };
  script.seen.push(seen);
  const left = new AbortController();
  const ends = (ending: SeenRequest["ending"]) => {
    seen.ending ??= ending;
    seen.endedMs ??= performance.now() - script.startedAt;
  };
  response.once("close", () => {
    left.abort();
    ends(response.writableFinished ? "done" : "left");
  });
  const body = await textOf(request);
  if (body !== "") Object.assign(seen, { body: JSON.parse(body) });
  if (rule === undefined) throw new Error("no rule holds");
  await play(rule.reply, request, response, left.signal, ends).catch((error: unknown) => {
    if (!left.signal.aborted) throw error;
  });
}

async function play(
  { status = 200, headers = {}, steps = [] }: Reply,
  request: IncomingMessage,
  response: ServerResponse,
  left: AbortSignal,
  ends: (ending: SeenRequest["ending"]) => void,
): Promise<void> {
  if (status !== null) response.writeHead(status, headers).flushHeaders();
  for (const step of steps) {
    if ("waitMs" in step) await sleep(step.waitMs, undefined, { signal: left });
    else if ("write" in step) response.write(step.write);
    else {
      // Data that was written before must have been sent, as on a real network that breaks.
      await sleep(20);
      ends("cut");
      if (step.cut === "reset") request.socket.resetAndDestroy();
      else request.socket.destroy();
      return;
    }
  }
  if (status !== null) response.end();
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const bytes of request.setEncoding("utf8")) text += bytes as string;
  return text;
}

process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit());

const server = createServer((request, response) => {
  const [, first = "", second = ""] = (request.url ?? "").split("/");
  const script = scripts.get(first);
  if (first === "control") void control(second, request, response);
  else if (script === undefined) response.writeHead(404).end();
  else void answer(script, request, response);
});
server.keepAliveTimeout = 120_000;
server.listen(0, "127.0.0.1");
await once(server, "listening");
process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
