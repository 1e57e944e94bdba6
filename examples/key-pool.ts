// One API, several keys: each key is a provider with its own limits, and all of them share the limit of the account. A key
// that the API refuses is dead from then on, and its requests go to another key.
//
//   SEARCH_KEYS=a,b,c npx tsx examples/key-pool.ts cats dogs "small fish"
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
    // The limiter reads the status and the Retry-After header of a failed response.
    const response = await fetch(`${baseUrl}/search?q=${encodeURIComponent(query)}`, { headers, signal });
    return response.ok ? response.text() : response;
  });
  // A client error, such as a 400, is returned: no other key would help.
  if (typeof value !== "string") throw new Error(`${query}: HTTP ${value.status}`);
  return `${provider}: ${value}`;
}

const queries = process.argv.slice(2);
for (const line of await Promise.all(queries.map(search))) console.log(line);
for (const { name, state } of limiter.inspect().providers) console.log(`${name} ${state}`);
