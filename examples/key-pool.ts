// One API, several keys: each key is a provider with its own limits, and all of them draw from their account's. A key that
// the API does not accept is dead from then on, and the requests that found it out go to another one.
//
//   SEARCH_KEYS=a,b,c npx tsx --tsconfig tsconfig.tools.json examples/key-pool.ts cats dogs "small fish"
import { GrateLimiter } from "grate-limiter";

const baseUrl = process.env["SEARCH_URL"] ?? "https://api.example.com";
const keys = new Map((process.env["SEARCH_KEYS"] ?? "").split(",").map((key, place) => [`key-${place + 1}`, key]));

const limiter = new GrateLimiter({
  pools: { account: { limits: { rpm: 250 } } },
  providers: [...keys.keys()].map((name) => ({ name, limits: { rpm: 100, concurrency: 4 }, pools: ["account"] })),
  capabilities: { search: [...keys.keys()] },
});
limiter.on("providerDead", ({ provider }) => console.log(`${provider} is not accepted any more`));

async function search(query: string): Promise<string> {
  const { value, provider } = await limiter.run("search", async ({ provider, signal }) => {
    const headers = { authorization: `Bearer ${keys.get(provider)}` };
    // A response that failed is handed to the limiter as it is: it reads the status and the Retry-After header.
    const response = await fetch(`${baseUrl}/search?q=${encodeURIComponent(query)}`, { headers, signal });
    return response.ok ? response.text() : response;
  });
  // What no other key could mend, like a 400, comes back.
  if (typeof value !== "string") throw new Error(`${query}: HTTP ${value.status}`);
  return `${provider}: ${value}`;
}

const queries = process.argv.slice(2);
for (const line of await Promise.all(queries.map(search))) console.log(line);
for (const { name, state } of limiter.inspect().providers) console.log(`${name} ${state}`);
