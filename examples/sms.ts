// Text messages through two carriers, the cheaper one first, within a budget per day. A message must not be sent twice, so
// another carrier is tried only if the first one certainly did not send it. A carrier that refuses (429) gets no messages for
// its Retry-After, or for a second, and the other one sends them meanwhile.
//
//   npx tsx examples/sms.ts +4915112345 +4915112346
import { GrateLimiter, NoAvailableProviders, PriorityScorer } from "grate-limiter";

const urls = {
  cheap: process.env["CHEAP_SMS_URL"] ?? "https://cheap.example.com",
  solid: process.env["SOLID_SMS_URL"] ?? "https://solid.example.com",
};

const usdPerDay = Number(process.env["SMS_USD_PER_DAY"] ?? 20);

const limiter = new GrateLimiter({
  providers: [
    { name: "cheap", limits: { rps: 10, usdPerDay }, price: { usdPerRequest: 0.0079 }, priority: 10 },
    { name: "solid", limits: { rps: 30, usdPerDay }, price: { usdPerRequest: 0.0095 }, priority: 5 },
  ],
  capabilities: { sms: ["cheap", "solid"] },
  scoring: new PriorityScorer(),
});

async function send(to: string, text: string): Promise<string> {
  try {
    const { value, provider } = await limiter.run(
      "sms",
      ({ provider, signal }) =>
        fetch(`${urls[provider]}/messages`, { method: "POST", body: JSON.stringify({ to, text }), signal }),
      { idempotent: false, maxWaitMs: 5_000 },
    );
    return value.ok ? `sent by ${provider}` : `not sent: HTTP ${value.status}`;
  } catch (error) {
    if (!NoAvailableProviders.is(error)) throw error;
    // Without an attempt, nothing was sent. After a failed attempt, the message might have been sent.
    const last = error.attempts.at(-1);
    if (last !== undefined) return `perhaps sent by ${last.provider}: ${last.status}`;
    return `not sent: ${error.reasons.map(({ provider, reason }) => `${provider} ${reason}`).join(", ")}`;
  }
}

for (const to of process.argv.slice(2)) console.log(`${to} ${await send(to, "Your parcel is here")}`);
for (const name of ["cheap", "solid"] as const) {
  const budget = limiter.forecast(name)?.find(({ dimension }) => dimension === "cost_usd");
  console.log(`${name}: $${(budget?.used ?? 0) / 1e6} of $${(budget?.limit ?? 0) / 1e6} a day`);
}
