// The names that a code block in the documentation can use without declaring them. Every block gets a new copy. Keep it
// short, because readers must imagine all of it.
import { GrateLimiter } from "grate-limiter";

/** Two upstreams, as an application would declare them. */
export const providers = [
  {
    name: "openai",
    limits: { rpm: 500, tpm: 200_000 },
    price: { usdPerMillionInputTokens: 2.5, usdPerMillionOutputTokens: 10 },
    priority: 10,
  },
  {
    name: "anthropic",
    limits: { rpm: 300 },
    price: { usdPerMillionInputTokens: 3, usdPerMillionOutputTokens: 15 },
    priority: 8,
  },
] as const;

/** A capability that both providers have. */
export const capabilities = { chat: ["openai", "anthropic"] } as const;

/** A limiter over both providers. */
export const limiter = new GrateLimiter({ providers, capabilities });

/** The answer of a client. */
export interface Answer {
  readonly text: string;
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number };
}

interface Client {
  ask(prompt: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<Answer>;
}

/** One client per provider. Each answers immediately. */
export const clients: { readonly openai: Client; readonly anthropic: Client } = {
  openai: answering("openai"),
  anthropic: answering("anthropic"),
};

/** A request to the providers. */
export const prompt = "Why is the sky blue?";

function answering(name: string): Client {
  return {
    ask: (asked) => Promise.resolve({ text: `${name}: ${asked}`, usage: { inputTokens: 8, outputTokens: 120 } }),
  };
}
