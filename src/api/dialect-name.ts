/** Names of vendors whose way of counting and whose headers are known. "generic": any other vendor. */
export const DIALECT_NAMES = [
  "anthropic",
  "azure",
  "cerebras",
  "cohere",
  "deepseek",
  "fireworks",
  "gemini",
  "generic",
  "github",
  "groq",
  "ietf",
  "mistral",
  "openai",
  "openrouter",
  "shopify",
  "stripe",
  "together",
  "twilio",
  "xai",
] as const;

/** One of these names. */
export type DialectName = (typeof DIALECT_NAMES)[number];
