// The message of a failed call names the last answer of the provider, whatever a client throws or a provider answers.
import { inspect } from "node:util";
import { expect, it } from "vitest";
import { GrateLimiter, MockClock } from "../../../src/index.ts";
import { refusalOf, runFixture } from "../../support/run-fixture.ts";

async function messageOf(task: () => unknown): Promise<string> {
  const limiter = new GrateLimiter({
    clock: new MockClock(),
    providers: [{ name: "a" }, { name: "b" }],
    capabilities: { chat: ["a", "b"] },
  });
  const error: unknown = await limiter.run("chat", task, { maxWaitMs: 0 }).catch((reason: unknown) => reason);
  return (error as Error).message;
}

const failWith = (fields: object) => () => {
  throw Object.assign(new Error("upstream text"), fields);
};

it.each([
  ["an error with a status", failWith({ status: 503 }), '(last answer: 503 "upstream text")'],
  ["an error with a statusCode", failWith({ statusCode: 429 }), '(last answer: 429 "upstream text")'],
  ["a broken connection", failWith({ code: "ECONNRESET" }), '(last answer: "upstream text")'],
  ["a returned response", () => new Response("", { status: 503, statusText: "Busy" }), '(last answer: 503 "Busy")'],
  ["a response without a text", () => ({ ok: false, status: 500 }), "(last answer: 500)"],
])("the message of a failed call states the last answer of %s", async (_, task, text) => {
  expect(await messageOf(task)).toContain(text);
});

it("the message of a failed call quotes at most 200 characters of an answer, without line breaks", async () => {
  const message = await messageOf(failWith({ status: 500, message: `<html>\n${"x".repeat(100_000)}` }));
  expect(message.length).toBeLessThan(400);
  expect(message).not.toContain("\n");
});

it("the message of a failed call leaves out an answer that cannot be read", async () => {
  const hostile = () => ({
    ok: false,
    status: 500,
    get message() {
      throw new Error("unreadable");
    },
  });
  expect(await messageOf(hostile)).toContain("(last answer: 500)");
});

it.each([
  [{ response: { status: 503 } }, "503"],
  [{ $metadata: { httpStatusCode: 503 } }, "503"],
  [{ statusCode: 503 }, "503"],
])("an error with %j shows its status in the message", async (fields, status) => {
  const { limiter } = runFixture(["a"]);
  const failing = () => Promise.reject(Object.assign(new Error("no"), fields));
  const error = await refusalOf(limiter.run("chat", failing, { maxAttempts: 1 }));
  expect(error.message).toContain(`last answer: ${status} "no"`);
});

it("the text in a console has the attempts and no key of the client", async () => {
  const { limiter } = runFixture(["a"]);
  const secret = { config: { headers: { authorization: "Bearer secret" } }, status: 503 };
  const failing = () => Promise.reject(Object.assign(new Error("no"), secret));
  const error = await refusalOf(limiter.run("chat", failing, { maxAttempts: 1 }));
  const text = inspect(error, { depth: 9, showHidden: true });
  expect(text).toContain("attempts failed");
  expect(text).not.toContain("Bearer secret");
  expect(error.cause).toMatchObject(secret);
});
