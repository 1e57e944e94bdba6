// Embeds every line of a file, as fast as the limits allow, and prints its progress. Only a few batches are in memory,
// however long the file is.
//
//   EMBEDDINGS_KEY=... npx tsx examples/embeddings.ts lines.txt > vectors.jsonl
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { GrateLimiter } from "grate-limiter";

const baseUrl = process.env["EMBEDDINGS_URL"] ?? "https://api.openai.com/v1";
const headers = { "content-type": "application/json", authorization: `Bearer ${process.env["EMBEDDINGS_KEY"]}` };

const limiter = new GrateLimiter({
  providers: [{ name: "embeddings", limits: { rpm: 3_000, tpm: 1_000_000 } }],
  capabilities: { embed: ["embeddings"] },
});

async function* batches(path: string, size = 16) {
  let batch: string[] = [];
  for await (const line of createInterface(createReadStream(path))) {
    batch.push(line);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function embed(input: readonly string[], signal: AbortSignal): Promise<readonly (readonly number[])[]> {
  const body = JSON.stringify({ model: "text-embedding-3-small", input });
  const response = await fetch(`${baseUrl}/embeddings`, { method: "POST", headers, body, signal });
  // The limiter reads the status and the headers of the error, and tries again when it can help.
  const { status, headers: answered } = response;
  if (!response.ok) throw Object.assign(new Error(`HTTP ${status}`), { status, headers: answered });
  const { data } = (await response.json()) as { data: { embedding: number[] }[] };
  return data.map(({ embedding }) => embedding);
}

let done = 0;
let failed = 0;
const results = limiter.map(
  "embed",
  batches(process.argv[2] ?? "lines.txt"),
  (batch, { signal }) => embed(batch, signal),
  {
    // About four characters per token.
    needs: (batch) => ({ tokens: batch.join("").length / 4 }),
    concurrency: 20,
  },
);
for await (const result of results) {
  if (result.ok) {
    done += result.item.length;
    console.log(JSON.stringify({ batch: result.index, vectors: result.value }));
  } else {
    failed += result.item.length;
    console.error(`batch ${result.index}: ${result.error}`);
  }
  console.error(`${done} lines embedded, ${failed} failed`);
}
