import type { Dialect, HeaderReader } from "../dialect.ts";
import { anthropic } from "./anthropic.ts";
import { azure } from "./azure.ts";
import { cerebras } from "./cerebras.ts";
import { cohere } from "./cohere.ts";
import { deepseek } from "./deepseek.ts";
import { fireworks } from "./fireworks.ts";
import { gemini } from "./gemini.ts";
import { generic } from "./generic.ts";
import { github } from "./github.ts";
import { groq } from "./groq.ts";
import { ietf } from "./ietf.ts";
import { mistral } from "./mistral.ts";
import { openai } from "./openai.ts";
import { openrouter } from "./openrouter.ts";
import { shopify } from "./shopify.ts";
import { stripe } from "./stripe.ts";
import { together } from "./together.ts";
import { twilio } from "./twilio.ts";
import { xai } from "./xai.ts";

/** All dialects. The first that knows a response reads it: Azure sends the headers of OpenAI, too. */
const DIALECTS: readonly Dialect[] = [
  azure,
  anthropic,
  openai,
  groq,
  mistral,
  cerebras,
  fireworks,
  together,
  cohere,
  gemini,
  openrouter,
  xai,
  deepseek,
  github,
  shopify,
  twilio,
  stripe,
  ietf,
  generic,
];

/**
 * The dialect of that name. Without a name, or with an unknown one: that of the host, else the first that knows the headers.
 * `host` is "" if it is unknown.
 */
export function dialectOf(name: string | undefined, header: HeaderReader, host: string): Dialect {
  return (
    DIALECTS.find((dialect) => dialect.name === name) ??
    DIALECTS.find(({ hosts }) => hosts.some((each) => host === each || host.endsWith(`.${each}`))) ??
    DIALECTS.find((dialect) => dialect.isKnownBy(header)) ??
    generic
  );
}
