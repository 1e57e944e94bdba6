// What a code block in the documentation may use without declaring it: the rest of the reader's program. Every block
// gets a fresh copy. Keep it small: what stands here is what a reader must imagine.
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

/** What they can both do. */
export const capabilities = { chat: ["openai", "anthropic"] } as const;

/** A limiter over both. */
export const limiter = new GrateLimiter({ providers, capabilities });

/** What a client answers. */
export interface Answer {
  readonly text: string;
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number };
}

interface Client {
  ask(prompt: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<Answer>;
}

/** One client for each provider; they answer at once. */
export const clients: { readonly openai: Client; readonly anthropic: Client } = {
  openai: answering("openai"),
  anthropic: answering("anthropic"),
};

/** What to ask them. */
export const prompt = "Why is the sky blue?";

function answering(name: string): Client {
  return {
    ask: (asked) => Promise.resolve({ text: `${name}: ${asked}`, usage: { inputTokens: 8, outputTokens: 120 } }),
  };
}
