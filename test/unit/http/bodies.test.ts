// Whatever a response contains, the caller reads the same bytes, and the lease ends.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limitedFetch } from "../../../src/http/index.ts";
import { GrateLimiter } from "../../../src/index.ts";

/** Stream of these parts, which then ends or breaks. */
function streamOf(parts: readonly Uint8Array[], breaks: boolean): ReadableStream<Uint8Array> {
  let next = 0;
  return new ReadableStream({
    pull(controller) {
      const part = parts[next++];
      if (part !== undefined) controller.enqueue(part.slice());
      else if (breaks) controller.error(new Error("broken"));
      else controller.close();
    },
  });
}

/** Bytes that a reader gets before the end or the error; `leaveAfter`: number of reads before it leaves. */
async function bytesOf(
  response: Response,
  leaveAfter: number,
): Promise<{ readonly bytes: number[]; readonly ending: string }> {
  const reader = response.body!.getReader();
  const bytes: number[] = [];
  try {
    for (let reads = 0; reads < leaveAfter; reads++) {
      const { done, value } = await reader.read();
      if (done) return { bytes, ending: "end" };
      bytes.push(...value);
    }
    await reader.cancel();
    return { bytes, ending: "left" };
  } catch (error) {
    return { bytes, ending: (error as Error).message };
  }
}

const events = fc.constantFrom(
  ...[
    'data: {"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n',
    "data: [DONE]\n\n",
    "event: error\ndata: {}\n\n",
  ],
  ...["data: ", "\n\n", '{"usage":', "\r\n", ": comment\n", '{"ok":false}', '[{"error":{"code":429}}]', "null"],
);
const part = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 300 }),
  events.map((text) => new TextEncoder().encode(text)),
);

describe("the bytes of a response", () => {
  it("pass unchanged to a reader, whatever their status and type, and the lease ends", async () => {
    const types = fc.constantFrom(
      "text/event-stream",
      "application/json",
      "application/x-ndjson",
      "image/png",
      undefined,
    );
    const statuses = fc.constantFrom(200, 201, 400, 404, 429, 500, 503);
    const reads = fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.nat(4));
    const property = fc.asyncProperty(
      ...([fc.array(part, { maxLength: 12 }), types, statuses, fc.boolean(), reads] as const),
      async (parts, type, status, breaks, leaveAfter) => {
        const limiter = new GrateLimiter({
          providers: [{ name: "a", limits: { concurrency: 5, tpm: 1_000 } }],
          capabilities: { chat: ["a"] },
        });
        const answer = () =>
          new Response(streamOf(parts, breaks), { status, ...(type && { headers: { "content-type": type } }) });
        const fetch = limitedFetch(limiter, { capability: "chat", provider: "a", fetch: async () => answer() });
        const [seen, expected] = [
          await bytesOf(await fetch("https://a.example"), leaveAfter),
          await bytesOf(answer(), leaveAfter),
        ];
        // A body that breaks while it is read ahead can be noticed earlier by a reader that leaves.
        if (breaks && leaveAfter < Number.POSITIVE_INFINITY) expect(seen.bytes).toEqual(expected.bytes);
        else expect(seen).toEqual(expected);
        expect(limiter.metrics).toMatchObject({ leasesGranted: 1, leasesSettled: 1 });
        expect(limiter.inspect().oldestLeaseMs).toBeNull();
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });
});
