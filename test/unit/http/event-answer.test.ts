import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventAnswer } from "../../../src/http/event-answer.ts";

const encoder = new TextEncoder();

/** Reads the parts until the answer ends, and returns its settlement. */
function settled(parts: readonly Uint8Array[], inputTokens?: number) {
  const answer = new EventAnswer(() => 0, inputTokens);
  for (const part of parts) {
    const ending = answer.read(part);
    if (ending !== undefined) return ending;
  }
  return answer.end();
}

/** Splits the bytes at these places. */
function split(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set([...places.map((place) => place % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.slice(i === 0 ? 0 : ends[i - 1], end));
}

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "grapheme" }),
  fc.constantFrom("usage", '"error"', "[DONE]", "日本語"),
);
const chunk = text.map((content) => ({ choices: [{ delta: { content }, finish_reason: null }], usage: null }));

describe("an answer in events", () => {
  it("ends in the same way however its bytes are split, and with whatever line ends", () => {
    const endings = fc.record({
      chunks: fc.array(chunk, { minLength: 1, maxLength: 8 }),
      usage: fc.option(fc.record({ prompt_tokens: fc.nat(1_000), completion_tokens: fc.nat(1_000) }), {
        nil: undefined,
      }),
      last: fc.constantFrom("[DONE]", "", '{"error":{"message":"x","code":"rate_limit_exceeded"}}'),
      line: fc.constantFrom("\n", "\r\n"),
      comments: fc.boolean(),
      places: fc.array(fc.nat(), { maxLength: 40 }),
    });
    fc.assert(
      fc.property(endings, ({ chunks, usage, last, line, comments, places }) => {
        const all = [...chunks, ...(usage ? [{ choices: [], usage }] : [])].map((event) => JSON.stringify(event));
        const data = last === "" ? all : [...all, last];
        const lines = data.map((one) => `${comments ? `: keep-alive${line}${line}` : ""}data: ${one}${line}${line}`);
        const parts = split(encoder.encode(lines.join("")), places);
        const { status, usage: counted } = settled(parts, 7);
        expect(status).toBe(last.includes("error") ? "rate_limited" : "success");
        // Without a usage, each event is one token.
        expect(counted).toEqual(usage ?? { inputTokens: 7, outputTokens: chunks.length });
      }),
    );
  });

  it("a line of several megabytes is passed over, and the next event is read", () => {
    const long = encoder.encode(`data: {"usage":{"prompt_tokens":1},"x":"${"y".repeat(3_000_000)}"}\n\n`);
    const parts = [
      ...split(
        long,
        Array.from({ length: 50 }, (_, i) => i * 65_536),
      ),
      encoder.encode('data: {"usage":{"total_tokens":5}}\n\n'),
    ];
    expect(settled(parts)).toEqual({ status: "success", usage: { total_tokens: 5 } });
  });

  it("lines of JSON are events, too", () => {
    const parts = ['{"text":"a"}\n', '{"usage":{"input_tokens":3,"output_tokens":4}}\n'].map((line) =>
      encoder.encode(line),
    );
    expect(settled(parts)).toEqual({ status: "success", usage: { input_tokens: 3, output_tokens: 4 } });
  });

  it("bytes that are no events never throw", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (parts) => {
        expect(settled(parts).status).toBe("success");
      }),
    );
  });

  it("an answer that is left keeps the input of Anthropic's first event, and counts the events as output", () => {
    const answer = new EventAnswer(() => 0, undefined);
    const start = { type: "message_start", message: { usage: { input_tokens: 25, output_tokens: 1 } } };
    const delta = { type: "content_block_delta", delta: { text: "x" } };
    for (const event of [start, delta, delta, delta]) {
      answer.read(encoder.encode(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`));
    }
    expect(answer.isComplete).toBe(false);
    expect(answer.usage()).toEqual({ input_tokens: 25, output_tokens: 3 });
  });
});
