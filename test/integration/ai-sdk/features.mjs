// What the AI SDK does with routed models: registry, middleware, tools, embeddings, images, audio, aborts, retries. With real
// providers against local servers. Argument: the folder with the AI SDK.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { routeModel } from "../../../dist/ai-sdk.js";
import { GrateLimiter, NoAvailableProviders } from "../../../dist/index.js";
import { closeVendors, DIALECTS, eventually, modelOf, vendor } from "./vendors.mjs";

const sdk = await import(`./${process.argv[2]}/sdk.mjs`);
const { ai, z } = sdk;
globalThis.AI_SDK_LOG_WARNINGS = false;
process.on("unhandledRejection", () => {});

function newLimiter(names = ["a", "b"]) {
  return new GrateLimiter({
    providers: names.map((name, place) => ({
      name,
      priority: 100 - 90 * place,
      limits: { tpm: 100_000, concurrency: 50 },
    })),
    capabilities: { chat: names },
    scoring: { quota: 0, health: 0, priority: 1, latency: 0 },
  });
}

const isIdle = (limiter) => () =>
  limiter.inspect().oldestLeaseMs === null && limiter.inspect().providers.every(({ inFlight }) => inFlight === 0);

/** A limiter, and a model over a first vendor with a fault and a second one. */
async function route(fault, options = {}, routeOptions = {}) {
  const first = await vendor("openai", { fault, ...options });
  const second = await vendor("anthropic", options);
  const limiter = newLimiter();
  return {
    first,
    second,
    limiter,
    model: routeModel(limiter, "chat", { a: modelOf(sdk, first), b: modelOf(sdk, second) }, routeOptions),
  };
}

const TESTS = {
  "generateText: metadata, usage and reported limits": async () => {
    const { model, limiter } = await route();
    const { text, providerMetadata, usage } = await ai.generateText({ model, prompt: "hi" });
    assert.equal(text, "hello from openai");
    assert.deepEqual(providerMetadata.grateLimiter, { provider: "a", attempts: 1 });
    assert.equal(usage.outputTokens, 3);
    // Declared 100,000; reported 90,000, of which 80,000 remained.
    assert.equal(limiter.forecast("a")[0].ceiling, 90_000);
  },
  "customProvider, createProviderRegistry and wrapLanguageModel": async () => {
    const { model } = await route(() => 503);
    const named = ai.customProvider({ languageModels: { fast: model } });
    assert.equal(
      (await ai.generateText({ model: named.languageModel("fast"), prompt: "hi" })).text,
      "hello from anthropic",
    );
    const registry = ai.createProviderRegistry({ routed: named });
    assert.equal(
      (await ai.generateText({ model: registry.languageModel("routed:fast"), prompt: "hi" })).text,
      "hello from anthropic",
    );
    const specificationVersion = model.specificationVersion;
    const seen = [];
    const middleware = {
      specificationVersion,
      wrapGenerate: ({ doGenerate }) => {
        seen.push("generate");
        return doGenerate();
      },
      wrapStream: ({ doStream }) => {
        seen.push("stream");
        return doStream();
      },
    };
    const wrapped = ai.wrapLanguageModel({ model, middleware });
    assert.equal((await ai.generateText({ model: wrapped, prompt: "hi" })).text, "hello from anthropic");
    assert.equal(await ai.streamText({ model: wrapped, prompt: "hi" }).text, "hello from anthropic");
    assert.deepEqual(seen, ["generate", "stream"]);
  },
  "an agent loop: a failover does not repeat the finished tool call": async () => {
    const call = DIALECTS.openai.toolCall("weather", { city: "Oslo" });
    // The first vendor asks for the tool, and then fails.
    const { model, first, second } = await route((_, count) => (count === 1 ? call : 529));
    let executed = 0;
    const weather = ai.tool({
      description: "Weather of a city",
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => {
        executed++;
        return `${city}: sunny`;
      },
    });
    const { text, steps } = await ai.generateText({
      ...{ model, prompt: "Weather in Oslo?", tools: { weather } },
      stopWhen: ai.stepCountIs?.(5) ?? ai.isStepCount(5),
    });
    assert.equal(text, "hello from anthropic");
    assert.equal(executed, 1);
    assert.equal(first.seen.length, 2);
    assert.equal(second.seen.length, 1);
    assert.match(JSON.stringify(second.seen[0].body), /Oslo: sunny/);
    assert.deepEqual(
      steps.map((step) => step.providerMetadata.grateLimiter.provider),
      ["a", "b"],
    );
  },
  "a structured answer": async () => {
    const { model } = await route(() => "drop", { words: () => ['{"city":', '"Oslo"}'] });
    const output = ai.Output.object({ schema: z.object({ city: z.string() }) });
    const result = await ai.generateText({ model, prompt: "hi", output });
    assert.deepEqual(result.output, { city: "Oslo" });
  },
  "supports: tools go to the vendor that has them": async () => {
    const supports = (provider, { tools }) => provider === "b" || tools === undefined;
    const { model } = await route(undefined, {}, { supports });
    const tools = { weather: ai.tool({ inputSchema: z.object({}) }) };
    assert.equal((await ai.generateText({ model, prompt: "hi", tools })).text, "hello from anthropic");
    assert.equal((await ai.generateText({ model, prompt: "hi" })).text, "hello from openai");
  },
  "maxRetries of the AI SDK does not repeat a route that has failed": async () => {
    const { model, first, second } = await route(() => 401, {}, { maxWaitMs: 0 });
    second.server.close();
    second.server.closeAllConnections();
    const error = await ai.generateText({ model, prompt: "hi", maxRetries: 2 }).catch((thrown) => thrown);
    assert.ok(NoAvailableProviders.is(error), error);
    assert.equal(first.seen.length, 1);
  },
  "a 400 is the error of the vendor's own package": async () => {
    const { model, second } = await route(() => 400);
    const error = await ai.generateText({ model, prompt: "hi" }).catch((thrown) => thrown);
    assert.ok(ai.APICallError.isInstance(error));
    assert.equal(second.seen.length, 0);
  },
  "an abort in mid-stream stops the request": async () => {
    const { model, limiter, first } = await route(undefined, { words: () => Array(500).fill("word "), pauseMs: 5 });
    const controller = new AbortController();
    const { fullStream } = ai.streamText({ model, prompt: "hi", abortSignal: controller.signal });
    const types = [];
    for await (const { type } of fullStream) {
      types.push(type);
      if (type === "text-delta") controller.abort();
    }
    assert.equal(types.at(-1), "abort");
    await eventually(() => first.state.left === 1, "the request was closed");
    await eventually(isIdle(limiter), "nothing in flight");
  },
  "a consumer that leaves early leaves nothing in flight when the vendor has ended": async () => {
    const { model, limiter } = await route(undefined, { words: () => Array(100).fill("word "), pauseMs: 1 });
    for await (const _ of ai.streamText({ model, prompt: "hi" }).textStream) break;
    await eventually(isIdle(limiter), "nothing in flight");
  },
  "embedMany over two vendors": async () => {
    const server = (fails) =>
      serve((body) =>
        fails
          ? null
          : {
              data: body.input.map((_, index) => ({ index, embedding: [index] })),
              usage: { prompt_tokens: 4, total_tokens: 4 },
            },
      );
    const [first, second] = [await server(true), await server(false)];
    const limiter = newLimiter();
    const of = ({ url }) => sdk.createOpenAI({ apiKey: "k", baseURL: url }).embedding("m");
    const model = routeModel(limiter, "chat", { a: of(first), b: of(second) });
    const values = Array.from({ length: 3_000 }, (_, index) => `text ${index}`);
    const { embeddings, usage, providerMetadata } = await ai.embedMany({ model, values });
    assert.equal(embeddings.length, 3_000);
    // At most 2,048 values in one request.
    assert.equal(second.seen.length, 2);
    assert.equal(usage.tokens, 8);
    assert.equal(providerMetadata.grateLimiter.provider, "b");
  },
  "images, transcription and speech": async () => {
    const bytes = Buffer.from("RIFF0000WAVEfmt ").toString("base64");
    const broken = await serve(() => null);
    const works = await serve((_, url) => {
      if (url.includes("images")) return { created: 1, data: [{ b64_json: bytes }] };
      return url.includes("transcriptions") ? { text: "spoken" } : Buffer.from("sound");
    });
    const of = (make) => {
      const model = ({ url }) => make(sdk.createOpenAI({ apiKey: "k", baseURL: url }));
      return routeModel(newLimiter(), "chat", { a: model(broken), b: model(works) });
    };
    const generateImage = ai.generateImage ?? ai.experimental_generateImage;
    const made = await generateImage({
      model: of((openai) => openai.image("dall-e-3")),
      prompt: "a cat",
      maxRetries: 0,
    });
    assert.equal(made.image.base64, bytes);
    assert.equal(made.providerMetadata.grateLimiter.images[0].provider, "b");
    const transcribe = ai.transcribe ?? ai.experimental_transcribe;
    const heard = await transcribe({
      model: of((openai) => openai.transcription("whisper-1")),
      audio: Buffer.from(bytes, "base64"),
    });
    assert.equal(heard.text, "spoken");
    const generateSpeech = ai.generateSpeech ?? ai.experimental_generateSpeech;
    const said = await generateSpeech({ model: of((openai) => openai.speech("tts-1")), text: "hello" });
    assert.equal(Buffer.from(said.audio.uint8Array).toString(), "sound");
  },
};

if (sdk.Hono !== undefined) {
  TESTS["Hono: the request stops when the browser leaves"] = async () => {
    const { model, limiter, first } = await route(undefined, { words: () => Array(500).fill("word "), pauseMs: 5 });
    const app = new sdk.Hono();
    app.post("/chat", async (context) => {
      const { prompt } = await context.req.json();
      return ai.streamText({ model, prompt, abortSignal: context.req.raw.signal }).toTextStreamResponse();
    });
    const server = sdk.serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
    await new Promise((resolve) => server.once("listening", resolve));
    const browser = new AbortController();
    const response = await fetch(`http://127.0.0.1:${server.address().port}/chat`, {
      ...{ method: "POST", body: JSON.stringify({ prompt: "hi" }), signal: browser.signal },
    });
    const reader = response.body.getReader();
    assert.match(Buffer.from((await reader.read()).value).toString(), /^word /);
    browser.abort();
    await eventually(() => first.state.left === 1, "the request to the vendor was closed");
    await eventually(isIdle(limiter), "nothing in flight");
    server.closeAllConnections();
    server.close();
  };
  TESTS["LangChain: ChatOpenAI with routedFetch"] = async () => {
    const { routedFetch } = await import("../../../dist/http.js");
    const [first, second] = [await vendor("openai", { fault: () => 503 }), await vendor("openai")];
    const limiter = newLimiter();
    const fetch = routedFetch(limiter, "chat", {
      a: { baseURL: first.url, apiKey: "k1" },
      b: { baseURL: second.url, apiKey: "k2", model: "other" },
    });
    const chat = new sdk.ChatOpenAI({ model: "m", apiKey: "routed", maxRetries: 0, configuration: { fetch } });
    assert.equal((await chat.invoke("hi")).content, "hello from openai");
    assert.deepEqual([first.seen.length, second.seen[0].body.model], [1, "other"]);
    let streamed = "";
    for await (const chunk of await chat.stream("hi")) streamed += chunk.content;
    assert.equal(streamed, "hello from openai");
    await eventually(isIdle(limiter), "nothing in flight");
  };
}

const servers = [];

/** Server that answers with what `answer` returns for a body; null: 503. */
async function serve(answer) {
  const seen = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    seen.push(text);
    const body = answer(text.startsWith("{") ? JSON.parse(text) : {}, request.url);
    const isJson = !Buffer.isBuffer(body);
    response.writeHead(body === null ? 503 : 200, { "content-type": isJson ? "application/json" : "audio/mpeg" });
    response.end(isJson ? JSON.stringify(body ?? { error: { message: "no" } }) : body);
  });
  servers.push(server);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, seen };
}

let failures = 0;
for (const [name, test] of Object.entries(TESTS)) {
  try {
    await Promise.race([test(), sleep(20_000).then(() => assert.fail("it took more than 20 s"))]);
    console.log(`ok   ${name}`);
  } catch (error) {
    failures++;
    console.log(`FAIL ${name}\n${error.stack}`);
  }
  await closeVendors();
}
process.exit(failures === 0 ? 0 : 1);
