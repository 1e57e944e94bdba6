// Prints the verdicts on failures of the runtime's own `fetch`. Runs on Node, Bun and Deno, with the built package.
import { createServer } from "node:http";
import process from "node:process";
import { classifyResult } from "../../../dist/index.js";

const statuses = {
  429: "rate_limited",
  500: "server_error",
  503: "overloaded",
  401: "unauthorized",
  413: "unsuitable",
};
const expected = { refused: "server_error", reset: "server_error", "time-out": "timeout", ...statuses };
let what = "";
const server = createServer((request, response) => {
  if (what === "reset") request.socket.destroy();
  else if (what !== "time-out")
    response.writeHead(Number(what), what === "413" ? {} : { "retry-after": "7" }).end("{}");
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const closed = createServer();
await new Promise((resolve) => closed.listen(0, "127.0.0.1", resolve));
const refusing = `http://127.0.0.1:${closed.address().port}/`;
await new Promise((resolve) => closed.close(resolve));
const url = `http://127.0.0.1:${server.address().port}/`;

let failures = 0;
for (what of Object.keys(expected)) {
  const target = what === "refused" ? refusing : url;
  let result;
  try {
    result = {
      ok: true,
      value: await fetch(target, { signal: AbortSignal.timeout(what === "refused" ? 5_000 : 400) }),
    };
  } catch (error) {
    result = { ok: false, error };
  }
  const { status, settlement, neverConnected } = classifyResult(result, Date.now);
  const isRight =
    status === expected[what] && (!(what in statuses) || what === "413" || settlement.retryAfterMs === 7_000);
  if (!isRight) failures++;
  console.log(what, status, settlement.retryAfterMs ?? "", neverConnected ? "not sent" : "", isRight ? "" : "WRONG");
  if (!isRight && !result.ok)
    console.log(result.error.name, result.error.message, result.error.code, result.error.cause);
}
process.exit(failures === 0 ? 0 : 1);
