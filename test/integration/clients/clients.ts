// How each real client is asked. Every client makes one try, and gives up after TIMEOUT_MS.
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { BODIES, type Body } from "./cases.ts";
import { isChosen, load } from "./chosen-clients.ts";

export const TIMEOUT_MS = 300;

// biome-ignore lint/suspicious/noExplicitAny: the packages are installed on demand, so their types are not there.
type Package = any;

export interface Client {
  readonly name: string;
  readonly body: Body;
  /** Sends one request. */
  ask(url: string): Promise<unknown>;
}

const messages = [{ role: "user", content: "hi" }];
const signal = () => AbortSignal.timeout(TIMEOUT_MS);
const client = (name: string, body: Body, ask: Client["ask"]): Client => ({ name, body, ask });

const rewriting = (http: Package, url: string) => ({
  request: (options: object) => http.request({ ...options, uri: `${url}/messages` }),
});

const ALL: readonly Client[] = [
  client("fetch, returned", BODIES.openai, (url) => fetch(url, { signal: signal() })),
  client("openai", BODIES.openai, async (url) => {
    const { default: OpenAI } = await load("openai");
    const options = { apiKey: "k", baseURL: url, maxRetries: 0, timeout: TIMEOUT_MS };
    return new OpenAI(options).chat.completions.create({ model: "m", messages });
  }),
  client("@anthropic-ai/sdk", BODIES.anthropic, async (url) => {
    const { default: Anthropic } = await load("@anthropic-ai/sdk");
    const options = { apiKey: "k", baseURL: url, maxRetries: 0, timeout: TIMEOUT_MS };
    return new Anthropic(options).messages.create({ model: "m", max_tokens: 5, messages });
  }),
  client("groq-sdk", BODIES.openai, async (url) => {
    const { default: Groq } = await load("groq-sdk");
    const options = { apiKey: "k", baseURL: url, maxRetries: 0, timeout: TIMEOUT_MS };
    return new Groq(options).chat.completions.create({ model: "m", messages });
  }),
  client("@google/genai", BODIES.google, async (url) => {
    const { GoogleGenAI } = await load("@google/genai");
    const ai = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: url, timeout: TIMEOUT_MS } });
    return ai.models.generateContent({ model: "m", contents: "hi" });
  }),
  client("@mistralai/mistralai", BODIES.mistral, async (url) => {
    const { Mistral } = await load("@mistralai/mistralai");
    const mistral = new Mistral({ apiKey: "k", serverURL: url, timeoutMs: TIMEOUT_MS });
    return mistral.chat.complete({ model: "m", messages });
  }),
  client("cohere-ai", BODIES.flat, async (url) => {
    const { CohereClientV2 } = await load("cohere-ai");
    const cohere = new CohereClientV2({ token: "k", environment: url });
    return cohere.chat({ model: "m", messages }, { maxRetries: 0, timeoutInSeconds: TIMEOUT_MS / 1_000 });
  }),
  client("bedrock, HTTP/1", BODIES.flat, (url) => bedrock(url, "NodeHttpHandler")),
  client("@slack/web-api", BODIES.flat, async (url) => {
    const { WebClient, LogLevel } = await load("@slack/web-api");
    const options = { slackApiUrl: `${url}/`, retryConfig: { retries: 0 }, rejectRateLimitedCalls: true };
    const slack = new WebClient("k", { ...options, timeout: TIMEOUT_MS, logLevel: LogLevel?.ERROR });
    slack.logger?.setLevel?.("error");
    return slack.chat.postMessage({ channel: "c", text: "hi" });
  }),
  client("twilio", BODIES.flat, async (url) => {
    const { default: twilio } = await load("twilio");
    const http = new twilio.RequestClient({ timeout: TIMEOUT_MS });
    const sms = twilio(`AC${"0".repeat(32)}`, "k", { httpClient: rewriting(http, url) });
    return sms.messages.create({ from: "+1", to: "+2", body: "hi" });
  }),
  client("stripe", BODIES.openai, async (url) => {
    const { default: Stripe } = await load("stripe");
    const { hostname, port } = new URL(url);
    const options = { host: hostname, port, protocol: "http", maxNetworkRetries: 0, timeout: TIMEOUT_MS };
    return new Stripe("sk_test_k", { ...options, telemetry: false }).customers.list();
  }),
  client("octokit", BODIES.flat, async (url) => {
    const { Octokit } = await load("octokit");
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const octokit = new Octokit({ baseUrl: url, log, retry: { enabled: false }, throttle: { enabled: false } });
    return octokit.request("GET /user", { request: { signal: signal() } });
  }),
  client("axios", BODIES.openai, async (url) => {
    const { default: axios } = await load("axios");
    return axios.post(url, {}, { timeout: TIMEOUT_MS });
  }),
  client("axios, returned", BODIES.openai, async (url) => {
    const { default: axios } = await load("axios");
    return axios.post(url, {}, { timeout: TIMEOUT_MS, validateStatus: () => true });
  }),
  client("got", BODIES.openai, async (url) => {
    const { default: got } = await load("got");
    return got.post(url, { json: {}, retry: { limit: 0 }, timeout: { request: TIMEOUT_MS } }).json();
  }),
  client("got, returned", BODIES.openai, async (url) => {
    const { default: got } = await load("got");
    const options = { json: {}, retry: { limit: 0 }, timeout: { request: TIMEOUT_MS }, throwHttpErrors: false };
    return got.post(url, options);
  }),
  client("ky", BODIES.openai, async (url) => {
    const { default: ky } = await load("ky");
    return ky.post(url, { json: {}, retry: 0, timeout: TIMEOUT_MS }).json();
  }),
  client("superagent", BODIES.openai, async (url) => {
    const { default: superagent } = await load("superagent");
    return superagent.post(url).timeout(TIMEOUT_MS).send({});
  }),
  client("superagent, returned", BODIES.openai, async (url) => {
    const { default: superagent } = await load("superagent");
    return superagent
      .post(url)
      .timeout(TIMEOUT_MS)
      .ok(() => true)
      .send({});
  }),
  client("undici.request, returned", BODIES.openai, async (url) => {
    const { request } = await load("undici");
    return request(url, { headersTimeout: TIMEOUT_MS, signal: AbortSignal.timeout(5_000) });
  }),
  client("undici.fetch, returned", BODIES.openai, async (url) => {
    const undici = await load("undici");
    return undici.fetch(url, { signal: signal() });
  }),
  client("graphql-request", BODIES.graphql, async (url) => {
    const { GraphQLClient } = await load("graphql-request");
    return new GraphQLClient(url, {
      fetch: (input: string, init: object) => fetch(input, { ...init, signal: signal() }),
    }).request("{ shop { name } }");
  }),
  client("gaxios", BODIES.google, async (url) => {
    const { request } = await load("gaxios");
    return request({ url, timeout: TIMEOUT_MS, retry: false });
  }),
];

/** Clients of this run. */
export const CLIENTS: readonly Client[] = ALL.filter(({ name }) => isChosen(name));

async function bedrock(url: string, handler: string): Promise<unknown> {
  const { BedrockRuntimeClient, ConverseCommand } = await load("@aws-sdk/client-bedrock-runtime");
  const handlers = await load("@smithy/node-http-handler");
  const requestHandler = new handlers[handler]({ requestTimeout: TIMEOUT_MS, throwOnRequestTimeout: true });
  const credentials = { accessKeyId: "k", secretAccessKey: "k" };
  const client = new BedrockRuntimeClient({
    endpoint: url,
    region: "us-east-1",
    credentials,
    maxAttempts: 1,
    requestHandler,
  });
  const content = [{ text: "hi" }];
  return client.send(new ConverseCommand({ modelId: "m", messages: [{ role: "user", content }] }));
}

/** The AWS SDK over HTTP/2: the answers and the failures of a session. */
export async function bedrockOverHttp2(name: string, status: number): Promise<unknown> {
  const sessions: Package[] = [];
  const server = http2.createServer();
  server.on("session", (session: Package) => {
    sessions.push(session);
    session.on("error", () => {});
  });
  server.on("stream", (stream: Package) => {
    stream.on("error", () => {});
    if (name === "reset") return stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    if (name === "goaway") return stream.session.destroy();
    if (name === "time-out") return undefined;
    stream.respond({ ":status": status, "content-type": "application/json", "x-amzn-errortype": `${name}:http://a/` });
    return stream.end(JSON.stringify({ message: "No." }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    for (const session of sessions) session.destroy();
    server.close();
  };
  if (name === "refused") close();
  try {
    return await bedrock(`http://127.0.0.1:${port}`, "NodeHttp2Handler");
  } finally {
    close();
  }
}

/** gRPC: one call that ends with a code, is refused, or times out. */
export async function grpcCall(code: number | "refused" | "time-out"): Promise<unknown> {
  const grpc = await load("@grpc/grpc-js");
  const identity = (value: unknown) => value;
  const service = {
    ask: {
      path: "/test.Test/Ask",
      requestStream: false,
      responseStream: false,
      requestSerialize: () => Buffer.alloc(0),
      requestDeserialize: identity,
      responseSerialize: () => Buffer.alloc(0),
      responseDeserialize: identity,
    },
  };
  const server = new grpc.Server();
  server.addService(service, {
    ask: (_: unknown, answer: (error: object) => void) => {
      if (code === "time-out") return;
      const metadata = new grpc.Metadata();
      if (code === 8) metadata.set("retry-after", "7");
      answer({ code, details: "No.", metadata });
    },
  });
  const credentials = grpc.ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error: unknown, port: number) =>
      error ? reject(error) : resolve(port),
    );
  });
  if (code === "refused") server.forceShutdown();
  const Client = grpc.makeGenericClientConstructor(service, "Test");
  const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  try {
    return await new Promise((resolve, reject) => {
      const deadline = Date.now() + (code === "time-out" ? TIMEOUT_MS : 5_000);
      client.ask({}, { deadline }, (error: unknown, value: unknown) => (error ? reject(error) : resolve(value)));
    });
  } finally {
    client.close();
    server.forceShutdown();
  }
}
