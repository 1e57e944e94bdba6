// Types of routed models with the real types of the AI SDK, through the built declarations. A line that compiles although it
// is expected to fail is an error.
import { anthropic } from "@ai-sdk/anthropic";
import { openai } from "@ai-sdk/openai";
import {
  createProviderRegistry,
  customProvider,
  type EmbeddingModel,
  type embedMany,
  type generateText,
  type ImageModel,
  type LanguageModel,
  type SpeechModel,
  streamText,
  type TranscriptionModel,
  wrapLanguageModel,
} from "ai";
import { GrateLimiter } from "grate-limiter";
import { routeModel } from "grate-limiter/ai-sdk";

const limiter = new GrateLimiter({
  providers: [{ name: "openai" }, { name: "anthropic" }, { name: "other" }],
  capabilities: { chat: ["openai", "anthropic"], embed: ["openai"], any: ["openai", "other"] },
});
const gpt = openai("gpt-5");
const claude = anthropic("claude-sonnet-5");

const model = routeModel(limiter, "chat", { openai: gpt, anthropic: claude });
export const language: LanguageModel = model;
export const argument: Parameters<typeof generateText>[0]["model"] = model;
export const registry = createProviderRegistry({ own: customProvider({ languageModels: { fast: model } }) });
export const wrapped = wrapLanguageModel({ model, middleware: [] });
export const embedding: EmbeddingModel = routeModel(limiter, "embed", { openai: openai.embedding("e") });
export const many: Parameters<typeof embedMany>[0]["model"] = embedding;
export const image: ImageModel = routeModel(limiter, "embed", { openai: openai.image("i") });
export const speech: SpeechModel = routeModel(limiter, "embed", { openai: openai.speech("s") });
export const transcription: TranscriptionModel = routeModel(limiter, "embed", { openai: openai.transcription("t") });

// @ts-expect-error a missing key
routeModel(limiter, "chat", { openai: gpt });
// @ts-expect-error a misspelt key
routeModel(limiter, "chat", { openai: gpt, antropic: claude });
// @ts-expect-error an extra key
routeModel(limiter, "chat", { openai: gpt, anthropic: claude, other: claude });
// @ts-expect-error a misspelt extra key
routeModel(limiter, "chat", { openai: gpt, anthropic: claude, antropic: claude });
// @ts-expect-error a misspelt capability
routeModel(limiter, "chta", { openai: gpt, anthropic: claude });
// @ts-expect-error the id of a model
routeModel(limiter, "chat", { openai: gpt, anthropic: "anthropic/claude-sonnet-5" });
// @ts-expect-error an unknown option
routeModel(limiter, "chat", { openai: gpt, anthropic: claude }, { attemptTimeout: 5 });
// @ts-expect-error models of two kinds
export const mixed: LanguageModel = routeModel(limiter, "any", { openai: gpt, other: openai.image("i") });
// @ts-expect-error an embedding model is no language model
export const wrong: LanguageModel = embedding;

routeModel(
  limiter,
  "chat",
  { openai: gpt, anthropic: claude },
  {
    supports: (provider, { tools, prompt }) => provider === "openai" || (tools === undefined && prompt.length > 0),
    needs: ({ maxOutputTokens, providerOptions }) => ({
      outputTokens: maxOutputTokens ?? 500,
      fairnessKey: String(providerOptions?.["app"]?.["tenant"]),
    }),
    attemptTimeoutMs: 5_000,
  },
);
// @ts-expect-error a provider of another capability
routeModel(limiter, "chat", { openai: gpt, anthropic: claude }, { supports: (provider) => provider === "other" });

/** Route handler of Next.js: app/api/chat/route.ts. */
export async function POST(request: Request): Promise<Response> {
  const { prompt } = (await request.json()) as { prompt: string };
  return streamText({ model, prompt, abortSignal: request.signal }).toTextStreamResponse();
}
