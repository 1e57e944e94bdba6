// A unit test with a clock that the test moves: minutes of limits and cooldowns take no time.
//
//   npx tsx examples/unit-test.ts
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Clock, GrateLimiter, MockClock } from "grate-limiter";

type Send = (provider: "primary" | "backup", text: string) => Promise<string>;

/** The code under test. It takes its clock and its way of sending, so that a test can bring its own. */
class Translator {
  readonly limiter;
  readonly #send: Send;

  constructor(send: Send, clock?: Clock) {
    this.#send = send;
    this.limiter = new GrateLimiter({
      clock,
      providers: [
        { name: "primary", limits: { rpm: 2 } },
        { name: "backup", limits: { rpm: 1 }, priority: 5 },
      ],
      capabilities: { translate: ["primary", "backup"] },
    });
  }

  async translate(text: string): Promise<string> {
    const { value } = await this.limiter.run("translate", ({ provider }) => this.#send(provider, text));
    return value;
  }
}

test("the backup answers until the Retry-After of the primary is over", async () => {
  const clock = new MockClock();
  let isRefusing = true;
  const translator = new Translator(async (provider, text) => {
    // The error that a client of the API throws.
    if (provider === "primary" && isRefusing) {
      throw Object.assign(new Error("slow down"), { status: 429, headers: { "retry-after": "20" } });
    }
    return `${provider}: ${text}`;
  }, clock);

  assert.equal(await translator.translate("un"), "backup: un");
  assert.equal(translator.limiter.providerInCooldown("primary"), true);

  isRefusing = false;
  clock.advanceSecs(20);
  assert.equal(await translator.translate("deux"), "primary: deux");
});

test("a fourth request in a minute waits for the next one", async () => {
  const clock = new MockClock();
  const sentAt: number[] = [];
  const translator = new Translator(async (provider, text) => {
    sentAt.push(clock.now());
    return `${provider}: ${text}`;
  }, clock);

  const translations = Promise.all(["un", "deux", "trois", "quatre"].map((text) => translator.translate(text)));
  await clock.advanceMsAsync(60_000);
  assert.equal((await translations).length, 4);
  assert.deepEqual(sentAt, [0, 0, 0, 60_000]);
});
