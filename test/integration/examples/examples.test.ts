// The programs in `examples/` compile and do what they show. Each runs in a process of its own against HTTP servers on
// loopback; the requests at the servers and the printed text are compared.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { compilerErrors } from "../../support/documentation/type-check.ts";
import { Program, ROOT } from "../../support/examples/example-program.ts";
import { type Answer, type Handler, Upstream } from "../../support/examples/local-upstream.ts";
import { serverProgram, startServer } from "../../support/redis/redis-server.ts";

const NAMES = readdirSync(join(ROOT, "examples"))
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -3));

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function upstream(handler: Handler): Promise<Upstream> {
  const server = await Upstream.listen(handler);
  closing.push(() => server.close());
  return server;
}

function start(...program: ConstructorParameters<typeof Program>): Program {
  const started = new Program(...program);
  closing.push(() => started.stop());
  return started;
}

/** Runs a program to its end and expects success. */
async function run(...program: ConstructorParameters<typeof Program>): Promise<Program> {
  const started = start(...program);
  const code = await started.ended();
  expect(code, started.stderr).toBe(0);
  return started;
}

describe("the example programs", () => {
  it("there are exactly these examples, and examples/README.md names each of them", () => {
    expect(NAMES.sort()).toEqual([
      ...["bullmq-worker", "embeddings", "express-app", "http-handler", "key-pool", "serverless", "sms"],
      ...["two-providers", "unit-test"],
    ]);
    const readme = readFileSync(join(ROOT, "examples/README.md"), "utf8");
    for (const name of NAMES) expect(readme).toContain(`[${name}.ts](${name}.ts)`);
  });

  it("the examples compile with strict options", () => {
    const modules = NAMES.map((name) => {
      const file = `examples/${name}`;
      const text = readFileSync(join(ROOT, `${file}.ts`), "utf8");
      return { block: { file, line: 1, code: text, runs: true, inDocstring: false }, text };
    });
    expect(compilerErrors(ROOT, modules).flat()).toEqual([]);
  });
});

describe("the example with two providers", () => {
  const openai: Handler = () => ({
    status: 200,
    body: {
      choices: [{ message: { role: "assistant", content: "Rayleigh scattering." } }],
      usage: { prompt_tokens: 14, completion_tokens: 9 },
    },
  });
  const anthropic: Handler = () => ({
    status: 200,
    body: { content: [{ type: "text", text: "Because of the air." }], usage: { input_tokens: 13, output_tokens: 8 } },
  });

  async function ask(first: Handler, second: Handler) {
    const [one, two] = [await upstream(first), await upstream(second)];
    const program = await run("two-providers", ["Why is the sky blue?"], {
      OPENAI_API_KEY: "openai-key",
      OPENAI_BASE_URL: `${one.url}/v1`,
      ANTHROPIC_API_KEY: "anthropic-key",
      ANTHROPIC_BASE_URL: two.url,
    });
    return { one, two, program };
  }

  it("the preferred provider gets the request once", async () => {
    const { one, two, program } = await ask(openai, anthropic);
    expect(one.seen).toMatchObject([
      { path: "/v1/chat/completions", headers: { authorization: "Bearer openai-key" }, status: 200 },
    ]);
    expect(JSON.parse(one.seen[0]!.body)).toMatchObject({
      max_completion_tokens: 300,
      messages: [{ role: "user", content: "Why is the sky blue?" }],
    });
    expect(two.seen).toEqual([]);
    expect(program.lines).toEqual(["openai: Rayleigh scattering.", expect.stringMatching(/^openai success \d+ ms$/)]);
  });

  it("the other provider gets the request if the preferred one refuses it", async () => {
    const refusing: Handler = () => ({
      status: 429,
      headers: { "retry-after": "30" },
      body: { error: { message: "slow down", type: "requests", code: "rate_limit_exceeded" } },
    });
    const { one, two, program } = await ask(refusing, anthropic);
    expect(one.statuses).toEqual([429]);
    expect(two.seen).toMatchObject([
      { path: "/v1/messages", headers: { authorization: "Bearer anthropic-key" }, status: 200 },
    ]);
    expect(program.lines).toEqual([
      "anthropic: Because of the air.",
      expect.stringMatching(/^openai rate_limited \d+ ms$/),
      expect.stringMatching(/^anthropic success \d+ ms$/),
    ]);
  });
});

describe("the example with a pool of keys", () => {
  it("the dead key is detected, and all requests are served with the other keys", async () => {
    const search = await upstream(({ query, headers }) =>
      headers.authorization === "Bearer revoked"
        ? { status: 401, afterMs: 20 }
        : { status: 200, body: `results for ${query.get("q")}`, afterMs: 20 },
    );
    const queries = Array.from({ length: 30 }, (_, place) => `query ${place}`);
    const program = await run("key-pool", queries, { SEARCH_URL: search.url, SEARCH_KEYS: "good,revoked,fine" });

    const answers = program.lines.filter((line) => line.includes("results"));
    expect(answers.map((line) => line.replace(/^key-\d: /, ""))).toEqual(
      queries.map((query) => `results for ${query}`),
    );
    const keys = (key: string) => search.seen.filter(({ headers }) => headers.authorization === `Bearer ${key}`).length;
    expect(keys("good") + keys("fine")).toBe(30);
    expect(keys("good")).toBeGreaterThan(5);
    expect(keys("fine")).toBeGreaterThan(5);
    // Not more than the number in flight when the first one returned.
    expect(keys("revoked")).toBeGreaterThan(0);
    expect(keys("revoked")).toBeLessThanOrEqual(4);
    expect(search.mostAtOnce).toBeLessThanOrEqual(12);
    expect(program.lines.filter((line) => line.includes("not accepted"))).toEqual(["key-2 is not accepted any more"]);
    expect(program.lines.slice(-3)).toEqual(["key-1 available", "key-2 dead", "key-3 available"]);
  });
});

describe("the example with embeddings", () => {
  it("every line except those of a bad batch is embedded, within the allowed concurrency and after the stated wait", async () => {
    let refused = 0;
    const server = await upstream(({ body }, count): Answer => {
      const { input } = JSON.parse(body) as { input: string[] };
      if (input.includes("line 500")) return { status: 400, body: { error: "too long" } };
      if (count === 10 && refused++ === 0) return { status: 429, headers: { "retry-after-ms": "300" } };
      return { status: 200, body: { data: input.map((line) => ({ embedding: [line.length] })) }, afterMs: 10 };
    });
    const folder = mkdtempSync(join(tmpdir(), "embeddings-"));
    closing.push(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "lines.txt");
    writeFileSync(path, Array.from({ length: 1_000 }, (_, line) => `line ${line}\n`).join(""));
    const program = await run("embeddings", [path], { EMBEDDINGS_URL: server.url, EMBEDDINGS_KEY: "key" });

    expect(server.mostAtOnce).toBeLessThanOrEqual(20);
    expect(server.statuses.filter((status) => status === 400)).toHaveLength(1);
    expect(server.statuses.filter((status) => status === 429)).toHaveLength(1);
    expect(server.statuses.filter((status) => status === 200)).toHaveLength(62);
    const batches = program.lines.map((line) => JSON.parse(line) as { batch: number; vectors: number[][] });
    expect(batches.map(({ batch }) => batch).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 63 }, (_, batch) => batch).filter((batch) => batch !== 31),
    );
    expect(batches.find(({ batch }) => batch === 62)!.vectors).toEqual(Array(8).fill(["line 999".length]));
    const progress = program.stderr.trimEnd().split("\n");
    expect(progress).toContain("batch 31: Error: HTTP 400");
    expect(progress.at(-1)).toBe("984 lines embedded, 16 failed");
  });
});

describe("the example with text messages", () => {
  it("no text message is sent twice, and the budget is not exceeded", async () => {
    const answers: readonly Answer[] = [
      { status: 200 },
      { status: 500 },
      { status: 429, headers: { "retry-after": "2" } },
      { status: 200 },
    ];
    const cheap = await upstream((_, count) => answers[count]!);
    const solid = await upstream(() => ({ status: 200 }));
    const program = await run("sms", ["1", "2", "3", "4", "5", "6"], {
      CHEAP_SMS_URL: cheap.url,
      SOLID_SMS_URL: solid.url,
      SMS_USD_PER_DAY: "0.025",
    });

    expect(program.lines).toEqual([
      "1 sent by cheap",
      "2 perhaps sent by cheap: server_error",
      "3 sent by solid",
      // During the cooldown of the cheap carrier.
      "4 sent by solid",
      // The budget of the solid carrier is used, so the message waits for the end of the cooldown.
      "5 sent by cheap",
      "6 not sent: cheap quota, solid quota",
      "cheap: $0.0237 of $0.025 a day",
      "solid: $0.019 of $0.025 a day",
    ]);
    const recipients = ({ seen }: Upstream) => seen.map(({ body }) => (JSON.parse(body) as { to: string }).to);
    expect(recipients(cheap)).toEqual(["1", "2", "3", "5"]);
    expect(recipients(solid)).toEqual(["3", "4"]);
  });
});

describe("the example with an HTTP handler", () => {
  async function serve(first: Handler, second: Handler) {
    const [one, two] = [await upstream(first), await upstream(second)];
    const program = start("http-handler", [], { FIRST_URL: one.url, SECOND_URL: two.url, PORT: "0" });
    const [, port] = await program.printed(/"port":(\d+)/);
    const get = async (query: string) => {
      const startedAt = performance.now();
      const response = await fetch(`http://127.0.0.1:${port}/?q=${query}`);
      return { response, body: await response.text(), ms: performance.now() - startedAt };
    };
    return { one, two, get };
  }
  const echo: Handler = ({ body }) => ({ status: 200, body: `you said ${body}` });

  it("the handler answers, and returns client errors", async () => {
    const { one, two, get } = await serve((asked, count) => (count === 0 ? echo(asked, count) : { status: 422 }), echo);
    const good = await get("hello");
    expect(good.response.status).toBe(200);
    expect(good.response.headers.get("served-by")).toBe("first");
    expect(good.body).toBe("you said hello");
    expect((await get("nonsense")).response.status).toBe(422);
    expect(one.statuses).toEqual([200, 422]);
    expect(two.seen).toEqual([]);
  });

  it("the handler answers within 2 s if the first provider is silent", async () => {
    const { one, two, get } = await serve(() => "silence", echo);
    const { response, body, ms } = await get("hello");
    expect([response.status, response.headers.get("served-by"), body]).toEqual([200, "second", "you said hello"]);
    expect(ms).toBeGreaterThan(1_000);
    expect(ms).toBeLessThan(2_000);
    expect(one.statuses).toEqual([0]);
    expect(two.statuses).toEqual([200]);
  });

  it("the handler gives up after 2 s if all providers are silent", async () => {
    const { get } = await serve(
      () => "silence",
      () => "silence",
    );
    const { response, ms } = await get("hello");
    expect(response.status).toBe(503);
    expect(ms).toBeGreaterThan(1_900);
    expect(ms).toBeLessThan(3_500);
  });

  it("the handler passes a Retry-After on, and sends no request before that time", async () => {
    const refuse =
      (seconds: number): Handler =>
      () => ({ status: 429, headers: { "retry-after": `${seconds}` } });
    const { one, two, get } = await serve(refuse(40), refuse(30));
    for (let i = 0; i < 3; i++) {
      const { response, ms } = await get("hello");
      expect(response.status).toBe(429);
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(25);
      expect(Number(response.headers.get("retry-after"))).toBeLessThanOrEqual(30);
      expect(ms).toBeLessThan(1_900);
    }
    expect(one.statuses).toEqual([429]);
    expect(two.statuses).toEqual([429]);
  });

  it("the handler sends no Retry-After if the time is unknown", async () => {
    const { get } = await serve(
      () => ({ status: 401 }),
      () => ({ status: 401 }),
    );
    for (let i = 0; i < 2; i++) {
      const { response } = await get("hello");
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, null]);
    }
  });
});

describe("the example with a unit test", () => {
  it("the unit test passes minutes of limits without real time", async () => {
    const program = await run("unit-test");
    expect(program.stdout).toMatch(/(#|ℹ) pass 2/);
    expect(program.stdout).toMatch(/(#|ℹ) fail 0/);
    const [, ms] = /(?:#|ℹ) duration_ms ([\d.]+)/.exec(program.stdout)!;
    expect(Number(ms)).toBeLessThan(10_000);
  });
});

describe("the example with Express", () => {
  it("it answers, and shows the failover in the metrics, the log and the monitor", async () => {
    const one = await upstream(() => ({ status: 503 }));
    const two = await upstream(({ body }) => ({ status: 200, body: `you said ${body}` }));
    const program = start("express-app", [], { FIRST_URL: one.url, SECOND_URL: two.url, PORT: "0" });
    const [, port] = await program.printed(/listening on port (\d+)/);
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    expect(await get("/ask?q=hello")).toBe("you said hello");
    expect(await get("/metrics")).toContain(
      'grate_limiter_alternatives_used_total{limiter="default",from="first",to="second",capability="answer"} 1',
    );
    expect(await get("/monitor")).toContain("<!doctype html>");
    await program.printed(/"msg":".*second/);
  });
});

const redis = serverProgram();
if (redis === null) console.warn("SKIPPED: redis-server is not installed, so the examples with Redis were not run");

describe.skipIf(redis === null)("the examples with Redis", () => {
  it("instances of the function share the limit, and the next one is told when to come back", async () => {
    const server = await startServer(redis!);
    closing.push(() => void server.stop());
    const api = await upstream(({ body }) => ({ status: 200, body: `you said ${body}` }));
    const env = { API_URL: api.url, REDIS_URL: `redis://127.0.0.1:${server.port}` };
    const answers: string[] = [];
    for (let instance = 0; instance < 4; instance++) {
      const program = await run("serverless", [`question ${instance}`], env);
      answers.push(program.stdout.slice(0, 3));
    }
    expect(answers).toEqual(["200", "200", "200", "429"]);
    expect(api.seen).toHaveLength(3);
  });

  it("two workers answer all jobs, and keep the limit together", async () => {
    const server = await startServer(redis!);
    closing.push(() => void server.stop());
    const arrivals: number[] = [];
    const api = await upstream(({ body }) => {
      arrivals.push(performance.now());
      return { status: 200, body: `you said ${body}` };
    });
    const env = { API_URL: api.url, REDIS_PORT: `${server.port}` };
    const workers = [start("bullmq-worker", [], env), start("bullmq-worker", [], env)];
    for (const worker of workers) await worker.printed(/ready/);
    const { Queue, QueueEvents } = await import("bullmq");
    const connection = { host: "127.0.0.1", port: server.port };
    const [queue, events] = [new Queue("questions", { connection }), new QueueEvents("questions", { connection })];
    await events.waitUntilReady();
    const jobs = await queue.addBulk(
      Array.from({ length: 30 }, (_, index) => ({ name: "ask", data: { question: `${index}` } })),
    );
    const answers = await Promise.all(jobs.map((job) => job.waitUntilFinished(events, 30_000)));
    await Promise.all([queue.close(), events.close()]);
    expect(answers).toEqual(jobs.map((_, index) => `you said ${index}`));
    // No 11 requests within a second, less the time that the way to the server can take.
    arrivals.sort((a, b) => a - b);
    for (let i = 10; i < arrivals.length; i++) expect(arrivals[i]! - arrivals[i - 10]!).toBeGreaterThan(800);
  });
});
