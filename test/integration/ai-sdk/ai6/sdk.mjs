export { createAnthropic } from "@ai-sdk/anthropic";
export { createOpenAI } from "@ai-sdk/openai";
export { serve } from "@hono/node-server";
export { ChatOpenAI } from "@langchain/openai";
export * as ai from "ai";
export { createFallback } from "ai-fallback";
export { Hono } from "hono";
export { z } from "zod";
