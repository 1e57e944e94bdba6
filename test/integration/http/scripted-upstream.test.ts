// The scripted servers and the small client behave as the scenarios require.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ask,
  askStreaming,
  CutShort,
  completion,
  DONE,
  failure,
  finish,
  type Piece,
  streamed,
  tokens,
} from "../../support/http/chat-dialect.ts";
import { UpstreamProcess } from "../../support/http/scripted-upstream.ts";

let servers: UpstreamProcess;
beforeAll(async () => {
  servers = await UpstreamProcess.launch();
});
afterAll(() => servers.stop());

const never = new AbortController().signal;

async function read(stream: AsyncIterable<Piece>): Promise<{ pieces: Piece[]; error: unknown }> {
  const pieces: Piece[] = [];
  try {
    for await (const piece of stream) pieces.push(piece);
  } catch (error) {
    return { pieces, error };
  }
  return { pieces, error: null };
}

describe("a scripted server", () => {
  it("a scripted server answers by the first matching rule, and reports its requests", async () => {
    const upstream = await servers.upstream(
      { requests: 1, reply: failure(500, "broken") },
      { requests: 2, reply: failure(429, "too_many", { "retry-after-ms": "100" }) },
      { untilMs: 150, reply: failure(503, "too_early") },
      { reply: completion("m") },
    );
    const first = await ask(upstream.url, "m", never);
    const second = await ask(upstream.url, "m", never);
    await sleep(200);
    const third = await ask(upstream.url, "m", never);
    expect([first.status, second.status, third.status]).toEqual([500, 429, 200]);
    expect(second.headers.get("retry-after-ms")).toBe("100");
    expect(await third.json()).toMatchObject({ model: "m", usage: { completion_tokens: 34 } });
    const seen = await upstream.ended();
    expect(seen.map(({ body, ending }) => [body.model, ending])).toEqual(Array(3).fill(["m", "done"]));
    expect(seen[2]!.atMs).toBeGreaterThan(190);
  });

  it("a scripted server streams an answer", async () => {
    const upstream = await servers.upstream({ reply: streamed(...tokens(0, 60), finish("stop"), DONE) });
    const { pieces, error } = await read(await askStreaming(upstream.url, "m", never));
    expect(error).toBeNull();
    expect(pieces.map(({ text }) => text).join(" ")).toBe(
      `${Array.from({ length: 60 }, (_, i) => `t${i}`).join(" ")} `,
    );
    expect(pieces.at(-1)).toMatchObject({ finishReason: "stop", usage: { completion_tokens: 34 } });
  });

  it.each(["reset", "close"] as const)(
    "a scripted server cuts a connection before or after the headers: %s",
    async (cut) => {
      const before = await servers.upstream({ reply: { status: null, steps: [{ cut }] } });
      await expect(ask(before.url, "m", never)).rejects.toThrow("fetch failed");
      const after = await servers.upstream({ reply: streamed(...tokens(0, 40), { cut }) });
      const { pieces, error } = await read(await askStreaming(after.url, "m", never));
      expect(pieces).toHaveLength(40);
      expect(error).toBeInstanceOf(TypeError);
      expect((await after.seen())[0]).toMatchObject({ ending: "cut" });
    },
  );

  it("the server detects a closed connection, and the client detects an incomplete answer", async () => {
    const silent = await servers.upstream({ reply: { status: null, steps: [{ waitMs: 10_000 }] } });
    await expect(ask(silent.url, "m", AbortSignal.timeout(50))).rejects.toThrow("timeout");
    const short = await servers.upstream({ reply: streamed(...tokens(0, 40)) });
    expect((await read(await askStreaming(short.url, "m", never))).error).toBeInstanceOf(CutShort);
    expect((await silent.ended())[0]).toMatchObject({ ending: "left" });
  });
});
