// A routed model has the type that the AI SDK expects, and its models are exactly the providers of the capability.
import { describe, expect, it } from "vitest";
import { compile } from "../../support/snippet-compiler.ts";

const HEAD = `import { GrateLimiter } from "../../src/index.ts";
import { routeModel } from "../../src/ai-sdk/index.ts";
import { anthropic } from "@ai-sdk/anthropic";
import { openai } from "@ai-sdk/openai";
import type { EmbeddingModel, ImageModel, LanguageModel, SpeechModel, TranscriptionModel } from "ai";
const limiter = new GrateLimiter({
  providers: [{ name: "a" }, { name: "b" }, { name: "c" }],
  capabilities: { chat: ["a", "b"], other: ["c"] },
});
const a = openai("gpt-5");
const b = anthropic("claude-sonnet-5");
`;

const SNIPPETS = {
  "keys.ts": `${HEAD}
routeModel(limiter, "chat", { a, b });
routeModel(limiter, "chat", { a }); // error
routeModel(limiter, "chat", { a, bb: b }); // error
routeModel(limiter, "chat", { a, b, c: b }); // error
routeModel(limiter, "chat", { a, b, d: b }); // error
routeModel(limiter, "chta", { a, b }); // error
routeModel(limiter, "chat", { a, b: "anthropic/claude-sonnet-5" }); // error
routeModel(limiter, "chat", { a, b: {} }); // error
routeModel(new GrateLimiter(), "any", { x: a });
`,
  "options.ts": `${HEAD}
routeModel(limiter, "chat", { a, b }, { attemptTimeoutMs: 5, chunkTimeoutMs: 5, maxAttempts: 2, idempotent: false });
routeModel(limiter, "chat", { a, b }, { attemptTimeout: 5 }); // error
routeModel(limiter, "chat", { a, b }, { signal: undefined }); // error
routeModel(limiter, "chat", { a, b }, { supports: (provider, { tools }) => provider === "a" || tools === undefined });
routeModel(limiter, "chat", { a, b }, { supports: (provider) => provider === "c" }); // error
routeModel(limiter, "chat", { a, b }, { supports: async () => true }); // error
routeModel(limiter, "chat", { a, b }, { needs: ({ prompt }) => ({ tokens: prompt.length, priority: 1, fairnessKey: "k" }) });
routeModel(limiter, "chat", { a, b }, { needs: ({ promt }) => ({}) }); // error
routeModel(limiter, "chat", { a, b }, { needs: () => ({ token: 1 }) }); // error
`,
  "kinds.ts": `${HEAD}
const language: Exclude<LanguageModel, string> = routeModel(limiter, "chat", { a, b });
const embedding: EmbeddingModel = routeModel(limiter, "other", { c: openai.embedding("e") });
const image: ImageModel = routeModel(limiter, "other", { c: openai.image("i") });
const transcription: TranscriptionModel = routeModel(limiter, "other", { c: openai.transcription("t") });
const speech: SpeechModel = routeModel(limiter, "other", { c: openai.speech("s") });
const wrong: LanguageModel = routeModel(limiter, "other", { c: openai.embedding("e") }); // error
const mixed: LanguageModel = routeModel(limiter, "chat", { a, b: openai.image("i") }); // error
routeModel(limiter, "other", { c: openai.embedding("e") }, { needs: ({ values }) => ({ inputTokens: values.length }) });
`,
};

const compiled = compile(SNIPPETS);

describe("the types of the AI SDK entry", () => {
  it.each(Object.keys(SNIPPETS))("%s: the compiler reports the marked lines only", (name) => {
    const faults = compiled.faults(name);
    const lines = [...new Set(faults.map(({ line }) => line))].sort((a, b) => a - b);
    expect(lines, faults.map(({ line, message }) => `${line}: ${message}`).join("\n")).toEqual(compiled.marked(name));
  });
});
