// Refusals of real providers, as the clients of three kinds present them. `waitsMs` are the wait that the answer asks for and
// the wait that is right; null: none can be derived. They come from the documentation of the providers and from observation.
import { describe, expect, it } from "vitest";
import { classifyResult } from "../../../src/index.ts";
import answers from "../../support/answers/provider-answers.json" with { type: "json" };

interface Answer {
  readonly status: number;
  readonly headers: object;
  readonly body: unknown;
}

const errorOf = (body: unknown) => (body as { error?: unknown } | null)?.error ?? body;
const CLIENTS: { readonly [client: string]: (answer: Answer) => Error } = {
  "an SDK": ({ status, headers, body }) =>
    Object.assign(new Error("refused"), { status, headers: new Headers({ ...headers }), error: errorOf(body) }),
  axios: ({ status, headers, body }) =>
    Object.assign(new Error("refused"), { code: "ERR_BAD_REQUEST", response: { status, headers, data: body } }),
  "a client that keeps the text": ({ status, headers, body }) =>
    Object.assign(new Error("refused"), { statusCode: status, headers, body: JSON.stringify(body) ?? undefined }),
};

describe.each(Object.entries(CLIENTS))("the answers of providers through %s", (_, errorFrom) => {
  it.each(answers.map((answer) => [answer.id, answer] as const))("%s has its class and wait", (_, answer) => {
    const verdict = classifyResult({ ok: false, error: errorFrom(answer) }, () => answer.nowMs);
    expect(verdict).toMatchObject({ status: answer.expected, isRecognized: true, neverConnected: false });
    expect(answer.waitsMs).toContain(verdict.settlement.retryAfterMs ?? null);
  });
});
