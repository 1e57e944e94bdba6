import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../../src/http/answer-usage.ts";
import { OutgoingRequest } from "../../../src/http/outgoing-request.ts";
import { demandOf } from "../../../src/http/request-demand.ts";

describe("the demand of a request", () => {
  it.each(["messages", "input", "contents", "prompt", "system", "tools"])(
    "a quarter of the characters of %s counts as input, rounded up",
    (name) => {
      expect(demandOf({ model: "m".repeat(400), [name]: "x".repeat(401) })).toEqual({ inputTokens: 101 });
      expect(demandOf({ [name]: [{ a: { b: "x".repeat(8) } }] })).toEqual({ inputTokens: 2 });
    },
  );

  it.each([
    ["max_tokens", { max_tokens: 9 }],
    ["max_completion_tokens", { max_completion_tokens: 9, max_tokens: 5 }],
    ["max_output_tokens", { max_output_tokens: 9 }],
    ["generationConfig", { generationConfig: { maxOutputTokens: 9 } }],
  ])("%s is the most output", (_, body) => {
    expect(demandOf(body)).toEqual({ maxOutputTokens: 9 });
  });

  it("an image or a sound in base64 counts as 1,000 tokens, and a token of a list as one", () => {
    const data = "QUJD".repeat(100_000);
    expect(demandOf({ messages: [{ url: `data:image/png;base64,${data}` }] })).toEqual({ inputTokens: 1_000 });
    expect(demandOf({ contents: [{ inlineData: { data } }] })).toEqual({ inputTokens: 1_000 });
    expect(demandOf({ input: [1, 2, 3] })).toEqual({ inputTokens: 3 });
  });

  it("no JSON body throws, and every amount is a whole number above 0", () => {
    fc.assert(
      fc.property(fc.json(), fc.anything(), (body, amount) => {
        const { inputTokens = 1, maxOutputTokens = 1 } = demandOf({ messages: body, max_tokens: amount } as Json);
        expect(Number.isInteger(inputTokens) && inputTokens > 0).toBe(true);
        expect(maxOutputTokens > 0).toBe(true);
      }),
    );
  });

  it.each([
    ["https://user:pass@api.groq.com:8080/v1?x=1", "api.groq.com"],
    ["http://localhost", "localhost"],
    ["/relative", ""],
  ])("the host of %s is %s", (url, host) => {
    expect(new OutgoingRequest(url, undefined).host).toBe(host);
  });

  it.each([
    ["a text", "{}", true],
    ["no body", undefined, true],
    ["bytes", new Uint8Array(3), true],
    ["a form", new URLSearchParams("a=1"), true],
    ["a stream", new Blob(["x"]).stream(), false],
    ["an async iterable", (async function* () {})(), false],
  ])("a body that is %s can be sent again: %s", (_, body, expected) => {
    expect(new OutgoingRequest("https://a.example", { body }).isRepeatable).toBe(expected);
  });
});
