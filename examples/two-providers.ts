// Two LLM providers and one question: a provider with capacity gets it, and if that one fails, the other.
//
//   OPENAI_API_KEY=... ANTHROPIC_API_KEY=... npx tsx examples/two-providers.ts "Why is the sky blue?"
import Anthropic from "@anthropic-ai/sdk";
import { GrateLimiter } from "grate-limiter";
import OpenAI from "openai";

const prompt = process.argv[2] ?? "Why is the sky blue?";
const maxOutputTokens = 300;

const limiter = new GrateLimiter({
  providers: [
    { name: "openai", limits: { rpm: 500, tpm: 200_000 }, priority: 10 },
    { name: "anthropic", limits: { rpm: 50, itpm: 30_000, otpm: 8_000 }, priority: 8 },
  ],
  capabilities: { chat: ["openai", "anthropic"] },
});

// Keys and base URLs come from the environment. The limiter would not count the clients' own retries, so they are off.
const openai = new OpenAI({ maxRetries: 0 });
const anthropic = new Anthropic({ maxRetries: 0 });
const messages = [{ role: "user", content: prompt }] as const;

const ask = {
  async openai(signal: AbortSignal) {
    const body = { model: "gpt-5-mini", max_completion_tokens: maxOutputTokens, messages: [...messages] };
    const { choices, usage } = await openai.chat.completions.create(body, { signal });
    return {
      text: choices[0]?.message.content ?? "",
      usage: { inputTokens: usage?.prompt_tokens, outputTokens: usage?.completion_tokens },
    };
  },
  async anthropic(signal: AbortSignal) {
    const body = { model: "claude-haiku-4-5", max_tokens: maxOutputTokens, messages: [...messages] };
    const { content, usage } = await anthropic.messages.create(body, { signal });
    return {
      text: content.map((block) => (block.type === "text" ? block.text : "")).join(""),
      usage: { inputTokens: usage.input_tokens, outputTokens: usage.output_tokens },
    };
  },
};

const { value, provider, attempts } = await limiter.run(
  "chat",
  async ({ provider, signal, lease }) => {
    const { text, usage } = await ask[provider](signal);
    lease.report(usage);
    return text;
  },
  { maxOutputTokens, attemptTimeoutMs: 30_000 },
);

console.log(`${provider}: ${value}`);
for (const { provider, status, latencyMs } of attempts)
  console.log(`${provider} ${status} ${Math.round(latencyMs)} ms`);
