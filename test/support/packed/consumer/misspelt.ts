// None of these lines must compile. The type check of this repository reads the directives. For the packed package they
// are removed, and the compiler must report exactly the lines after them.
import { GrateLimiter } from "grate-limiter";

const limiter = new GrateLimiter({
  providers: [{ name: "openai" }, { name: "anthropic" }],
  capabilities: { chat: ["openai", "anthropic"], image: ["openai"] },
});

// @ts-expect-error: no such provider
limiter.observe({ provider: "opnai", outcome: { status: "success" } });
// @ts-expect-error: no such provider
limiter.providerHealth("opnai");
// @ts-expect-error: no such provider
limiter.select("chat", { only: ["opnai"] });
// @ts-expect-error: a provider, but not of this capability
limiter.select("image", { exclude: ["anthropic"] });
// @ts-expect-error: the answer is one of two providers
export const other: "openai" = limiter.select("chat").provider;
// @ts-expect-error: no such capability
limiter.select("caht");
// @ts-expect-error: no such provider
new GrateLimiter({ providers: [{ name: "openai" }], capabilities: { chat: ["opnai"] } });
// @ts-expect-error: no such provider
new GrateLimiter({ providers: [{ name: "openai" }], capabilities: { chat: [{ provider: "opnai" }] } });
// @ts-expect-error: no such limit
new GrateLimiter({ providers: [{ name: "openai", limits: { rmp: 5 } }] });
// @ts-expect-error: no such status
limiter.observe({ provider: "openai", outcome: { status: "succes" } });
// @ts-expect-error: no such dimension
limiter.remainingQuota("openai", "request");
// @ts-expect-error: no such event
limiter.on("cooldownStart", () => {});
