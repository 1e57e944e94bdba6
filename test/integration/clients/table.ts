// Asks real clients of local servers that fail, and compares the class and the wait of each failure with table.txt.
// `npm run test:clients` in the root. `--record` writes the table.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { classifyResult, type TaskResult } from "../../../src/index.ts";
import { CASES, SILENCES, start } from "./cases.ts";
import { isNewest, tableFolder } from "./chosen-clients.ts";
import { bedrockOverHttp2, CLIENTS, grpcCall } from "./clients.ts";

const FILE = join(import.meta.dirname, tableFolder, "table.txt");
// Some clients leave rejected promises behind when a connection breaks.
process.on("unhandledRejection", () => {});

async function verdictOf(asked: Promise<unknown>): Promise<string> {
  const result: TaskResult = await asked.then(
    (value) => ({ ok: true, value }),
    (error: unknown) => ({ ok: false, error }),
  );
  const { status, settlement, neverConnected, isRecognized } = classifyResult(result, Date.now);
  if (!isRecognized && process.env["SHOW"]) console.error(result);
  const wait = settlement.retryAfterMs === undefined ? "" : ` ${settlement.retryAfterMs} ms`;
  return `${isRecognized ? status : "NOT RECOGNIZED"}${wait}${neverConnected ? ", not sent" : ""}`;
}

const lines: string[] = [];
const add = async (client: string, what: string, asked: Promise<unknown>) => {
  lines.push(`${client.padEnd(26)}${what.padEnd(30)}${await verdictOf(asked)}`);
};

for (const { name, body, ask } of CLIENTS) {
  for (const what of [...CASES, ...SILENCES]) {
    const server = await start(what, body);
    await add(name, typeof what === "string" ? what : what.name, ask(server.url));
    await server.close();
  }
}
const EXCEPTIONS = [
  ["ThrottlingException", 429],
  ["InternalServerException", 500],
  ["ServiceUnavailableException", 503],
  ["AccessDeniedException", 403],
  ["ModelNotReadyException", 429],
  ["ModelErrorException", 424],
  ["ServiceQuotaExceededException", 400],
  ["ValidationException", 400],
] as const;
if (!isNewest) await addOthers();

async function addOthers(): Promise<void> {
  for (const [name, status] of EXCEPTIONS) await add("bedrock, HTTP/2", name, bedrockOverHttp2(name, status));
  for (const name of ["refused", "reset", "goaway", "time-out"])
    await add("bedrock, HTTP/2", name, bedrockOverHttp2(name, 0));
  for (const code of [3, 4, 7, 8, 14, 16, "refused", "time-out"] as const) {
    await add("@grpc/grpc-js", typeof code === "number" ? `code ${code}` : code, grpcCall(code));
  }
}

const table = `${lines.join("\n")}\n`;
if (process.argv.includes("--record")) writeFileSync(FILE, table);
const recorded = readFileSync(FILE, "utf8").split("\n");
const changed = table.split("\n").filter((line) => !recorded.includes(line));
console.log(table);
console.log(changed.length === 0 ? "as recorded" : `differs from table.txt:\n${changed.join("\n")}`);
process.exit(changed.length === 0 ? 0 : 1);
