// Real clients that send their requests with limitedFetch.
import { DIALECTS, type Dialect } from "./adapter-dialects.ts";
import { isChosen, load } from "./chosen-clients.ts";

// biome-ignore lint/suspicious/noExplicitAny: the packages are installed on demand, so their types are not there.
type Package = any;

/** How one client is configured for a test. */
export interface Setting {
  readonly url: string;
  readonly fetch: typeof fetch;
  /** False: none; true: as the client does by itself. */
  readonly retries: boolean;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface AdaptedClient {
  readonly name: string;
  readonly dialect: Dialect;
  /** Most requests that it sends by itself for one call. */
  readonly tries: number;
  /** Function that sends its requests; default the global `fetch`. */
  readonly inner?: () => Promise<typeof fetch>;
  /** Classes in which it differs, because limitedFetch cannot see more: by name of the case. */
  readonly settles: { readonly [name: string]: string };
  /** True if its caller does not see an error event. */
  readonly hidesErrorEvents?: boolean;
  /** True if its own retries wait for a minute after a billing error, so that only calls without retries are made. */
  readonly waitsMinutes?: boolean;
  ask(setting: Setting): Promise<unknown>;
  /** Opens a stream; null: the client has none. */
  stream: ((setting: Setting) => Promise<AsyncIterable<unknown>>) | null;
}

/** AI SDK with the provider of OpenAI. */
async function aiSdk({ url, fetch, retries, timeoutMs, signal }: Setting): Promise<[Package, object]> {
  const [ai, { createOpenAI }] = await Promise.all([load("ai"), load("@ai-sdk/openai")]);
  const model = createOpenAI({ apiKey: "k", baseURL: url, fetch }).chat("m");
  const abortSignal = timeoutMs === undefined ? signal : AbortSignal.timeout(timeoutMs);
  const options = { model, prompt: "hi", maxRetries: retries ? undefined : 0, abortSignal };
  return [ai, given(options)];
}

const messages = [{ role: "user", content: "hi" }];
const body = JSON.stringify({ model: "m", messages });
const given = (options: object) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

/** Clients made by the same generator: openai, groq, Anthropic. */
function stainless(name: string, dialect: Dialect, create: (client: Package) => Package): AdaptedClient {
  const call = async ({ url, fetch, retries, timeoutMs, signal }: Setting, stream: boolean) => {
    const { default: Client } = await load(name);
    const options = { apiKey: "k", baseURL: url, fetch, timeout: timeoutMs, maxRetries: retries ? undefined : 0 };
    const params = { model: "m", max_tokens: 5, messages, stream };
    return create(new Client(given(options)))(params, given({ signal }));
  };
  return {
    name,
    dialect,
    tries: 3,
    settles: PLAIN_ABORT,
    ask: (setting) => call(setting, false),
    stream: (setting) => call(setting, true),
  };
}

async function genai({ url, fetch, retries, timeoutMs, signal }: Setting): Promise<[Package, object]> {
  const { GoogleGenAI } = await load("@google/genai");
  const retryOptions = retries ? { attempts: 3, initialDelay: 0.01 } : undefined;
  const httpOptions = given({ baseUrl: url, fetch, timeout: timeoutMs, retryOptions });
  const { models } = new GoogleGenAI({ apiKey: "k", httpOptions });
  return [models, { model: "m", contents: "hi", config: given({ abortSignal: signal }) }];
}

async function mistral({ url, fetch, timeoutMs, signal }: Setting): Promise<[Package, object]> {
  const { Mistral, HTTPClient } = await load("@mistralai/mistralai");
  const httpClient = new HTTPClient({ fetcher: fetch });
  const { chat } = new Mistral(given({ apiKey: "k", serverURL: url, httpClient, timeoutMs }));
  return [chat, given({ fetchOptions: signal && { signal } })];
}

async function cohere({ url, fetch, retries, timeoutMs, signal }: Setting): Promise<[Package, object]> {
  const { CohereClientV2 } = await load("cohere-ai");
  const options = {
    ...{ abortSignal: signal, maxRetries: retries ? undefined : 0 },
    timeoutInSeconds: timeoutMs && timeoutMs / 1_000,
  };
  return [new CohereClientV2({ token: "k", environment: url, fetch }), given(options)];
}

async function* bytesOf(response: Response): AsyncGenerator<Uint8Array> {
  yield* response.body as unknown as AsyncIterable<Uint8Array>;
}

function signalOf({ timeoutMs, signal }: Setting): { signal?: AbortSignal } {
  const own = timeoutMs === undefined ? signal : AbortSignal.timeout(timeoutMs);
  return own === undefined ? {} : { signal: own };
}

const plain = (setting: Setting) => setting.fetch(setting.url, { method: "POST", body, ...signalOf(setting) });
const requireOk = (response: Response): Response => {
  if (!response.ok) throw Object.assign(new Error("not ok"), { status: response.status });
  return response;
};

/** Texts of the stream of the AI SDK, which states an error as a part. Its first parts come before the request. */
async function* partsOf({ fullStream }: Package): AsyncGenerator<unknown> {
  for await (const part of fullStream) {
    if (part.type === "error") throw part.error;
    if (part.type === "text-delta") yield part;
  }
}

const FETCH: AdaptedClient = {
  ...{ name: "fetch", dialect: DIALECTS.openai, tries: 1, settles: {}, hidesErrorEvents: true },
  ask: async (setting) => requireOk(await plain(setting)).json(),
  stream: async (setting) => bytesOf(requireOk(await plain(setting))),
};

// These clients abort without a reason when their time is over.
const PLAIN_ABORT = { "client time-out": "cancelled" };

const ALL: readonly AdaptedClient[] = [
  stainless("openai", DIALECTS.openai, (client) => client.chat.completions.create.bind(client.chat.completions)),
  stainless("groq-sdk", DIALECTS.openai, (client) => client.chat.completions.create.bind(client.chat.completions)),
  stainless("@anthropic-ai/sdk", DIALECTS.anthropic, (client) => client.messages.create.bind(client.messages)),
  {
    ...{ name: "@google/genai", dialect: DIALECTS.gemini, tries: 3 },
    // It does not cancel the body when it is left, so the lease ends with the body.
    settles: { ...PLAIN_ABORT, "left early": "success" },
    ask: async (setting) => {
      const [models, params] = await genai(setting);
      return models.generateContent(params);
    },
    stream: async (setting) => {
      const [models, params] = await genai(setting);
      return models.generateContentStream(params);
    },
  },
  {
    ...{ name: "@mistralai/mistralai", dialect: DIALECTS.openai, tries: 1, settles: {} },
    ask: async (setting) => {
      const [chat, options] = await mistral(setting);
      return chat.complete({ model: "m", messages }, options);
    },
    stream: async (setting) => {
      const [chat, options] = await mistral(setting);
      return chat.stream({ model: "m", messages }, options);
    },
  },
  {
    ...{ name: "cohere-ai", dialect: DIALECTS.cohere, tries: 3, settles: {}, hidesErrorEvents: true },
    ask: async (setting) => {
      const [client, options] = await cohere(setting);
      return client.chat({ model: "m", messages }, options);
    },
    stream: async (setting) => {
      const [client, options] = await cohere(setting);
      return client.chatStream({ model: "m", messages }, options);
    },
  },
  {
    ...{ name: "axios", dialect: DIALECTS.openai, tries: 1, settles: {}, stream: null },
    ask: async ({ url, fetch, timeoutMs, signal }) => {
      const { default: axios } = await load("axios");
      const env = { fetch, Request, Response };
      return axios.post(url, { model: "m", messages }, given({ adapter: "fetch", env, timeout: timeoutMs, signal }));
    },
  },
  {
    ...{ name: "ky", dialect: DIALECTS.openai, tries: 1, settles: PLAIN_ABORT, stream: null },
    ask: async ({ url, fetch, retries, timeoutMs, signal }) => {
      const { default: ky } = await load("ky");
      const options = {
        fetch,
        json: { model: "m", messages },
        retry: retries ? undefined : 0,
        timeout: timeoutMs,
        signal,
      };
      return ky.post(url, given(options)).json();
    },
  },
  FETCH,
  { ...FETCH, name: "undici", inner: async () => (await load("undici")).fetch },
  {
    ...{ name: "ai-sdk", dialect: DIALECTS.openai, tries: 3, waitsMinutes: true },
    // It does not cancel the body when it is left, so the lease ends with the body.
    settles: { "left early": "success" },
    ask: async (setting) => {
      const [ai, options] = await aiSdk(setting);
      return ai.generateText(options);
    },
    stream: async (setting) => {
      const [ai, options] = await aiSdk(setting);
      return partsOf(ai.streamText({ ...options, onError: () => {} }));
    },
  },
];

/** Clients of this run. */
export const CLIENTS: readonly AdaptedClient[] = ALL.filter(({ name }) => isChosen(name));
