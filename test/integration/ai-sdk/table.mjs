// Prints what the callers of ai-fallback and of routeModel get, with real providers of the AI SDK against local servers:
// lines of "case<tab>ai-fallback<tab>routeModel". Argument: the folder with the AI SDK.
import process from "node:process";
import { routeModel } from "../../../dist/ai-sdk.js";
import { GrateLimiter } from "../../../dist/index.js";
import { closeVendors, modelOf, vendor } from "./vendors.mjs";

const sdk = await import(`./${process.argv[2]}/sdk.mjs`);
const { generateText, streamText } = sdk.ai;
globalThis.AI_SDK_LOG_WARNINGS = false;

// A stream whose caller has left must not end the process.
process.on("unhandledRejection", () => {});

const SEQUENTIAL = 3;
const CONCURRENT = 4;

const CASES = [
  ["429 with a wait of 30 s", "generate", 429],
  ["529", "generate", 529],
  ["529, 4 calls at the same time", "together", 529],
  ["connection dropped", "generate", "drop"],
  ["stream: connection dropped", "stream", "drop"],
  ["stream: breaks before text", "stream", "break before text"],
  ["stream: error event before text", "stream", "error before text"],
  ["stream: breaks after the first word", "stream", "break after text"],
  ["400", "generate", 400],
  ["all vendors answer 503", "generate", 503, 503],
];

const ROUTES = {
  "ai-fallback": (models) => sdk.createFallback({ models: [models.a, models.b] }),
  routeModel: (models) => {
    const limiter = new GrateLimiter({
      providers: [
        { name: "a", priority: 100 },
        { name: "b", priority: 1 },
      ],
      capabilities: { chat: ["a", "b"] },
      scoring: { quota: 0, health: 0, priority: 1, latency: 0 },
    });
    return routeModel(limiter, "chat", models, { maxWaitMs: 500 });
  },
};

/** Text and error of one call. */
async function ask(model, how) {
  const options = { model, prompt: "hi", maxRetries: 0 };
  if (how !== "stream") {
    try {
      return { text: (await generateText(options)).text };
    } catch (error) {
      return { text: "", error };
    }
  }
  const answer = { text: "" };
  const { fullStream } = streamText({ ...options, onError: () => {} });
  try {
    for await (const part of fullStream) {
      if (part.type === "text-delta") answer.text += part.text;
      if (part.type === "error") answer.error ??= part.error;
    }
  } catch (error) {
    answer.error ??= error;
  }
  return answer;
}

/** What the caller got, in words. */
function outcome({ text, error }) {
  if (error !== undefined) {
    const status = error.statusCode ?? error.cause?.statusCode;
    const name = error.name?.replace(/^AI_/, "") ?? "error";
    return `${text === "" ? "" : `"${text.trim()}", then `}${name}${status === undefined ? "" : ` (${status})`}`;
  }
  if (text === "hello from anthropic") return "answered by the second";
  if (text === "hello from openai") return "answered by the first";
  return `wrong text "${text}"`;
}

async function cell(route, how, fault, fault2) {
  const first = await vendor("openai", { fault: () => fault });
  const second = await vendor("anthropic", { fault: () => fault2 });
  const model = route({ a: modelOf(sdk, first), b: modelOf(sdk, second) });
  const answers = [];
  if (how === "together") {
    answers.push(...(await Promise.all(Array.from({ length: CONCURRENT }, () => ask(model, "generate")))));
  } else for (let i = 0; i < SEQUENTIAL; i++) answers.push(await ask(model, how));
  await closeVendors();
  const counts = new Map();
  for (const answer of answers) counts.set(outcome(answer), (counts.get(outcome(answer)) ?? 0) + 1);
  return [...counts]
    .sort()
    .map(([text, count]) => `${count} ${text}`)
    .join("; ");
}

for (const [name, how, fault, fault2] of CASES) {
  const cells = [];
  for (const route of Object.values(ROUTES)) cells.push(await cell(route, how, fault, fault2));
  console.log([name, ...cells].join("\t"));
}
process.exit(0);
