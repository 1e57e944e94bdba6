// Asks local servers through limitedFetch with real clients, and checks how every lease ends. `npm run test:clients` in the root.
import { setTimeout as sleep } from "node:timers/promises";
import { limitedFetch } from "../../../src/http/index.ts";
import { closeServers, eventually, fetchFixture, serve } from "../../support/http/fetch-fixture.ts";
import { type AdaptedClient, CLIENTS } from "./adapter-clients.ts";
import { CASES, type Case } from "./adapter-dialects.ts";

const TIMEOUT_MS = 300;
const ABORT_MS = 150;
// Some clients leave rejected promises behind when a connection breaks.
process.on("unhandledRejection", () => {});

/** Result for the caller of the client: "value", or the name of the error. */
async function outcome(
  client: AdaptedClient,
  what: Case,
  url: string,
  fetch: typeof globalThis.fetch,
  retries: boolean,
) {
  const abort = new AbortController();
  const isAborted = what.does === "abort";
  const timeoutMs = what.does === "time out" ? TIMEOUT_MS : undefined;
  const setting = { url, fetch, retries, timeoutMs, signal: isAborted ? abort.signal : undefined };
  if (isAborted) setTimeout(() => abort.abort(), ABORT_MS);
  try {
    if (what.does === "stream" || what.does === "leave") {
      for await (const _ of await client.stream!(setting)) if (what.does === "leave") break;
    } else await client.ask(setting);
    return "value";
  } catch (error) {
    return (error as Error)?.constructor?.name ?? String(error);
  }
}

/** Problems of one case. */
async function check(
  client: AdaptedClient,
  what: Case,
  retries: boolean,
): Promise<readonly [string, readonly string[]]> {
  const server = await serve(what.handler(client.dialect));
  const fixture = fetchFixture(["a"]);
  const inner = await client.inner?.();
  const options = { capability: "chat", provider: "a", maxWaitMs: 2_500, fetch: inner } as const;
  const limited = limitedFetch(fixture.limiter, options);
  const seen = await outcome(client, what, server.url, limited as typeof fetch, retries);
  const problems: string[] = [];
  const isIdle = () => fixture.inFlight === 0 && fixture.limiter.inspect().oldestLeaseMs === null;
  await eventually(isIdle).catch(() => problems.push("something is in flight"));
  const statuses = fixture.endings.map((ending) => ending.split(" ")[1]!);
  const expect = (isTrue: boolean, problem: string) => {
    if (!isTrue) problems.push(problem);
  };
  expect(statuses.length > 0, "no lease was settled");
  const expected = client.settles[what.name] ?? what.status;
  expect(
    statuses.every((status) => status === expected),
    `settled as ${statuses.join(", ")}`,
  );
  const isSuccess = what.status === "success";
  const isHidden = what.does === "leave" || (what.name === "error event" && client.hidesErrorEvents === true);
  expect((seen === "value") === (isSuccess || isHidden), `the caller got ${seen}`);
  const most = retries ? client.tries : 1;
  expect(server.seen.length >= 1 && server.seen.length <= most, `${server.seen.length} requests`);
  expect(fixture.limiter.metrics.unrecognizedOutcomes === 0, "an outcome was not recognized");
  if (isSuccess) expect(fixture.used("a").join() === "12,34", `used ${fixture.used("a").join()}`);
  const summary = `${statuses[0] ?? "nothing"}, ${server.seen.length} sent, ${seen}`;
  await server.close();
  return [summary, problems];
}

let failures = 0;
const only = process.argv[2];
const chosen = CLIENTS.filter(({ name }) => only === undefined || name.includes(only));
const blocks = await Promise.all(
  chosen.map(async (client) => {
    const lines: string[] = [];
    for (const what of CASES) {
      if (client.stream === null && (what.does === "stream" || what.does === "leave")) continue;
      for (const retries of client.waitsMinutes ? [false] : [true, false]) {
        const [summary, problems] = await check(client, what, retries);
        failures += problems.length;
        const mode = retries ? "default retries" : "no retries";
        const text = problems.length === 0 ? summary : `${summary}  WRONG: ${problems.join("; ")}`;
        lines.push(`${client.name.padEnd(22)}${what.name.padEnd(24)}${mode.padEnd(17)}${text}`);
      }
    }
    return lines.join("\n");
  }),
);
await closeServers();
// The last lines of clients that log by themselves come first.
await sleep(10);
console.log(blocks.join("\n"));
console.log(failures === 0 ? "all as expected" : `${failures} problems`);
process.exit(failures === 0 ? 0 : 1);
