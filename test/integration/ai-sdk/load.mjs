// 200 concurrent streams over four vendors, of which two fail in all ways. Argument: the folder with the AI SDK.
import assert from "node:assert/strict";
import process from "node:process";
import { routeModel } from "../../../dist/ai-sdk.js";
import { GrateLimiter, NoAvailableProviders } from "../../../dist/index.js";
import { closeVendors, eventually, modelOf, vendor } from "./vendors.mjs";

const sdk = await import(`./${process.argv[2]}/sdk.mjs`);
globalThis.AI_SDK_LOG_WARNINGS = false;
process.on("unhandledRejection", () => {});
const STREAMS = 200;
const FAULTS = [429, 529, "drop", "break before text", "error before text", "break after text", undefined];

const idIn = (body) => /call (\d+)/.exec(JSON.stringify(body))[1];
const words = (name) => (body) => Array.from({ length: 20 }, (_, place) => `${name}.${idIn(body)}.${place} `);
const faulty = (_, count) => FAULTS[count % FAULTS.length];
const vendors = {
  a: await vendor("openai", { fault: faulty, words: words("a") }),
  b: await vendor("anthropic", { fault: faulty, words: words("b") }),
  c: await vendor("openai", { words: words("c"), pauseMs: 1 }),
  d: await vendor("anthropic", { words: words("d"), pauseMs: 1 }),
};
const limiter = new GrateLimiter({
  providers: Object.keys(vendors).map((name) => ({ name, limits: { concurrency: 60, rpm: 1_000 } })),
  capabilities: { chat: Object.keys(vendors) },
});
const models = Object.fromEntries(Object.entries(vendors).map(([name, one]) => [name, modelOf(sdk, one)]));
const model = routeModel(limiter, "chat", models);

const results = await Promise.all(
  Array.from({ length: STREAMS }, async (_, id) => {
    let text = "";
    let error;
    let metadata;
    const { fullStream } = sdk.ai.streamText({ model, prompt: `call ${id}`, onError: () => {}, maxRetries: 0 });
    try {
      for await (const part of fullStream) {
        if (part.type === "text-delta") text += part.text;
        if (part.type === "error") error ??= part.error;
        if (part.type === "finish-step") metadata = part.providerMetadata?.grateLimiter;
      }
    } catch (thrown) {
      error ??= thrown;
    }
    const of = (name, count) =>
      words(name)({ call: `call ${id}` })
        .slice(0, count)
        .join("");
    if (error === undefined) {
      assert.equal(text, of(metadata.provider, 20));
      return "complete";
    }
    // It failed after its first word, or no vendor has served it.
    if (text === "") assert.ok(NoAvailableProviders.is(error), error);
    else assert.ok([of("a", 1), of("b", 1)].includes(text), text);
    return text === "" ? "refused" : "broken after text";
  }),
);
const inFlight = () => limiter.inspect().providers.reduce((sum, one) => sum + one.inFlight, 0);
await eventually(() => inFlight() === 0 && limiter.inspect().oldestLeaseMs === null, "nothing in flight");
const counts = {};
for (const result of results) counts[result] = (counts[result] ?? 0) + 1;
console.log(JSON.stringify(counts));
assert.equal(counts.refused ?? 0, 0);
assert.ok(counts.complete > STREAMS / 2);
await closeVendors();
process.exit(0);
