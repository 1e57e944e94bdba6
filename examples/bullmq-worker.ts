// A worker of a BullMQ queue. Start several: together they keep the limits of the API.
//
//   npm install bullmq ioredis
//   API_URL=... REDIS_PORT=6379 npx tsx examples/bullmq-worker.ts
import { DelayedError, Worker } from "bullmq";
import { GrateLimiter, NoAvailableProviders } from "grate-limiter";
import { redisStore } from "grate-limiter/redis";
import { Redis } from "ioredis";

const url = process.env["API_URL"] ?? "https://api.example.com";
const connection = { host: "127.0.0.1", port: Number(process.env["REDIS_PORT"] ?? 6379) };
const redis = new Redis(connection);

const limiter = new GrateLimiter({
  providers: [{ name: "api", limits: { rps: 10 } }],
  capabilities: { answer: ["api"] },
  store: redisStore(redis),
  defaults: { maxWaitMs: 5_000 },
});

const worker = new Worker<{ question: string }, string>(
  "questions",
  async (job, token) => {
    try {
      const { value } = await limiter.run("answer", async ({ signal }) => {
        const response = await fetch(url, { method: "POST", body: job.data.question, signal });
        return response.ok ? response.text() : response;
      });
      if (typeof value === "string") return value;
      throw new Error(`the API answered ${value.status}`);
    } catch (error) {
      if (!NoAvailableProviders.is(error)) throw error;
      // No failure of the job: it goes back into the queue until there is capacity.
      await job.moveToDelayed(Date.now() + (error.retryAfterMs ?? 5_000), token);
      throw new DelayedError();
    }
  },
  { connection, concurrency: 20 },
);
worker.on("ready", () => console.log("ready"));

process.once("SIGTERM", async () => {
  await worker.close(); // ends the jobs in progress
  await limiter.close(); // gives back what this process holds
  redis.disconnect();
});
