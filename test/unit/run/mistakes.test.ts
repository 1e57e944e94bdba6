// Errors that are no failures of a provider: mistakes of programs, files, child processes, assertions.
// All of them are provoked for real.
import assert from "node:assert";
import { execFile, execFileSync, execSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { createGunzip, inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { classifyResult } from "../../../src/index.ts";

type Provoke = () => unknown;

// biome-ignore lint/suspicious/noExplicitAny: mistakes need values without a type.
type Anything = any;
const nothing: Anything = undefined;
const none: Anything = null;
const text: Anything = "text";
const object: Anything = {};
const frozen: Anything = Object.freeze({ a: 1 });
const missing = join(tmpdir(), "no such folder", "no such file");

const TYPE_ERRORS: readonly Provoke[] = [
  () => nothing.status,
  () => none.status,
  () => nothing(),
  () => object.method(),
  () => object.a.b,
  () => text.missing(),
  () => new text(),
  () => new (Math.max as Anything)(),
  () => [...nothing],
  () => [...object],
  () => new Map([1 as Anything]),
  () => Object.defineProperty(frozen, "b", { value: 1 }),
  () => {
    frozen.a = 2;
  },
  () => delete frozen.a,
  () => `${Symbol() as Anything}`,
  () => Number(Symbol()),
  () => BigInt(1) + (1 as Anything),
  () => BigInt(none),
  () => JSON.stringify(BigInt(1)),
  () => {
    const circular: Anything = {};
    circular.self = circular;
    JSON.stringify(circular);
  },
  () => new Proxy(none, {}),
  () => {
    const { proxy, revoke } = Proxy.revocable(object, {});
    revoke();
    proxy.a;
  },
  () => none instanceof text,
  () => "a" in text,
  () => Reflect.ownKeys(text),
  () => Object.create(1 as Anything),
  () => Object.setPrototypeOf(Object.preventExtensions({}), {}),
  () => new WeakMap().set(1 as Anything, 1),
  () => new WeakRef(1 as Anything),
  () => [].reduce(nothing),
  () => [].reduce((a) => a),
  () => [1].map(nothing),
  () => [1].sort(1 as Anything),
  () => Promise.resolve.call(1 as Anything, 1),
  () => new (Promise as Anything)(),
  () => "a".matchAll(/a/ as Anything),
  () => "a".replaceAll(/a/, "b"),
  () => "a".startsWith(/a/ as Anything),
  () => Date.prototype.getTime.call(object),
  () => Map.prototype.get.call(object, 1),
  () => new Uint8Array(none, 1, 2).set(nothing),
  () => new URL("no url"),
  () => new Headers({ "a b": "c" }),
  () => new Request("no url"),
  () => new Response("a", { status: 204 }),
  () => (structuredClone as Anything)(),
  () => new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([0xff])),
  () => fetch("no url"),
  () => fetch("foo:bar"),
  () => fetch("http://localhost:1"),
  () => fetch("http://localhost/", { method: "GET", body: "a" }),
  () => fetch("http://localhost/", { method: "a b" }),
  () => fetch("http://user:pass@localhost/"),
  () => fetch("data:broken"),
  () => new Response("a").body!.pipeTo(none),
  async () => {
    const response = new Response("a");
    await response.text();
    await response.text();
  },
  () => fs.readFileSync(object),
  () => Buffer.from(nothing),
];

const later = (start: (done: (error: unknown) => void) => void) =>
  new Promise((_, reject) => {
    start((error) => reject(error));
  });

const OTHERS: readonly Provoke[] = [
  () => fs.readFileSync(missing),
  () => fs.promises.readFile(missing),
  () => fs.readdirSync(missing),
  () => fs.readFileSync(tmpdir()),
  () => fs.rmdirSync("/"),
  () => fs.mkdirSync("/"),
  () => fs.writeFileSync(join(missing, "a"), ""),
  () => fs.openSync(missing, "r"),
  () => fs.closeSync(1_000_000),
  () => fs.readSync(1_000_000, Buffer.alloc(1)),
  () => fs.linkSync(missing, missing),
  () => fs.statSync("a\0b"),
  () => later((done) => fs.createReadStream(missing).on("error", done)),
  () => later((done) => fs.createWriteStream(missing).on("error", done)),
  () => execSync("exit 3", { stdio: "ignore" }),
  () => execFileSync("sh", ["-c", "exit 200"]),
  () => execFileSync(missing),
  () => later((done) => spawn(missing).on("error", done)),
  () => later((done) => void execFile("sh", ["-c", "kill -9 $$"], done)),
  () => later((done) => void execFile("sleep", ["5"], { timeout: 20 }, done)),
  () => structuredClone(() => {}),
  () => new AbortController().signal.dispatchEvent(new DOMException("a") as Anything),
  () => atob("%"),
  () => crypto.getRandomValues(new Uint8Array(70_000)),
  () => new DOMException("a", "InvalidStateError").name && Promise.reject(new DOMException("a", "InvalidStateError")),
  () => Promise.reject(new DOMException("a", "QuotaExceededError")),
  () => JSON.parse("{"),
  () => JSON.parse(""),
  () => assert.equal(1, 2),
  () => assert.ok(false, "429 Too Many Requests"),
  () => expect(429).toBe(200),
  () => new RegExp(text === "text" ? "(" : ""),
  () => "a".repeat(-1),
  () => decodeURIComponent("%"),
  () => inflateSync(Buffer.from("no zlib")),
  () => later((done) => createGunzip().on("error", done).end("no gzip")),
  () => later((done) => new Writable({ write: (_, __, next) => next() }).on("error", done).end().write("a")),
];

async function provoked(provoke: Provoke): Promise<unknown> {
  try {
    const value: unknown = await provoke();
    throw new Error(`no error, got ${String(value)}`, { cause: "no error" });
  } catch (error) {
    if ((error as Error).cause === "no error") throw error;
    return error;
  }
}

const verdictOf = (error: unknown) => classifyResult({ ok: false, error }, () => 0);

it("the lists are as long as they claim to be", () => {
  expect(TYPE_ERRORS.length).toBeGreaterThanOrEqual(50);
  expect(OTHERS.length).toBeGreaterThanOrEqual(30);
});

describe("no mistake is a failure of a provider", () => {
  it.each(TYPE_ERRORS.map((provoke) => [String(provoke).replace(/\s+/g, " ").slice(0, 80), provoke] as const))(
    "a real TypeError: %s",
    async (_, provoke) => {
      const error = await provoked(provoke);
      expect((error as Error).name).toBe("TypeError");
      expect(verdictOf(error)).toMatchObject({ status: "cancelled", isRecognized: false });
      expect(verdictOf(new Error("wrapped", { cause: error }))).toMatchObject({ isRecognized: false });
    },
  );

  it.each(OTHERS.map((provoke) => [String(provoke).replace(/\s+/g, " ").slice(0, 80), provoke] as const))(
    "another real error: %s",
    async (_, provoke) => {
      expect(verdictOf(await provoked(provoke))).toMatchObject({ status: "cancelled", isRecognized: false });
    },
  );
});
