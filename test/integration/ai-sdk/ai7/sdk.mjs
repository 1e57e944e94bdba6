export { createAnthropic } from "@ai-sdk/anthropic";
export { createOpenAI } from "@ai-sdk/openai";
export * as ai from "ai";
export { createFallback } from "ai-fallback";
export { z } from "zod";
