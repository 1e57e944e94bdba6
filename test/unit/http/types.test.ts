// The targets of routedFetch are exactly the providers of the capability, at compile time.
import { describe, expect, it } from "vitest";
import { compile } from "../../support/snippet-compiler.ts";

const HEAD = `import { GrateLimiter } from "../../src/index.ts";
import { limitedFetch, routedFetch } from "../../src/http/index.ts";
const limiter = new GrateLimiter({
  providers: [{ name: "a" }, { name: "b" }, { name: "c" }],
  capabilities: { chat: ["a", "b"], embed: ["c"] },
});
const t = { baseURL: "https://a.example" };
`;

const SNIPPETS = {
  "limited.ts": `${HEAD}
limitedFetch(limiter, { capability: "chat", provider: "a", needs: ({ url }) => ({ inputTokens: url.length, priority: 1 }) });
limitedFetch(limiter, { capability: "chat", provider: "c" }); // error
limitedFetch(limiter, { capability: "chta", provider: "a" }); // error
limitedFetch(limiter, { capability: "chat", provider: "a", maxWait: 5 }); // error
const one: (input: string, init: RequestInit) => Promise<Response> = limitedFetch(limiter, { capability: "embed", provider: "c" });
limitedFetch(limiter, { capability: "chat", provider: "a", fetch: one }); // error
`,
  "routed.ts": `${HEAD}
routedFetch(limiter, "chat", { a: t, b: { ...t, apiKey: undefined, model: "m" } });
routedFetch(limiter, "chat", { a: t }); // error
routedFetch(limiter, "chat", { a: t, b: t, c: t }); // error
routedFetch(limiter, "chat", { a: t, b: t, d: t }); // error
routedFetch(limiter, "chat", { a: t, b: {} }); // error
routedFetch(limiter, "chat", { a: t, b: t }, { maxAttempts: 2, baseURL: "https://a.example", maxWaitMs: 0 });
routedFetch(new GrateLimiter(), "any", { x: t });
`,
};

const compiled = compile(SNIPPETS);

describe("the types of the HTTP entry", () => {
  it.each(Object.keys(SNIPPETS))(
    "%s: the compiler reports the marked lines only, without types of a runtime",
    (name) => {
      const faults = compiled.faults(name);
      const lines = [...new Set(faults.map(({ line }) => line))].sort((a, b) => a - b);
      expect(lines, faults.map(({ line, message }) => `${line}: ${message}`).join("\n")).toEqual(compiled.marked(name));
    },
  );
});
