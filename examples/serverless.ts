// A function of a serverless platform: many instances with one set of limits in Redis.
//
//   npm install ioredis
//   API_URL=... REDIS_URL=redis://localhost npx tsx examples/serverless.ts "a question"
import { GrateLimiter, NoAvailableProviders } from "grate-limiter";
import { refusalResponse } from "grate-limiter/http";
import { redisStore } from "grate-limiter/redis";
import { Redis } from "ioredis";

const url = process.env["API_URL"] ?? "https://api.example.com";
const redis = new Redis(process.env["REDIS_URL"] ?? "redis://localhost");
const limiter = new GrateLimiter({
  providers: [{ name: "api", limits: { rpm: 3 } }],
  capabilities: { ask: ["api"] },
  store: redisStore(redis),
  aheadMs: 0, // an instance takes nothing ahead of need, because the platform can freeze it
  defaults: { maxWaitMs: 2_000 },
});

/** Answers one question. The platform calls it with each request. */
export async function handler(question: string): Promise<Response> {
  try {
    const { value } = await limiter.run("ask", ({ signal }) => fetch(url, { method: "POST", body: question, signal }));
    return value;
  } catch (error) {
    if (NoAvailableProviders.is(error)) return refusalResponse(error);
    throw error;
  } finally {
    // Afterwards the instance might be frozen: its usage has to be in the store.
    await limiter.flush();
  }
}

// A platform keeps the instance. Here it handles one request and ends.
const response = await handler(process.argv[2] ?? "hello");
console.log(`${response.status}: ${await response.text()}`);
await limiter.close();
redis.disconnect();
