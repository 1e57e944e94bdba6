// Kinds of models: the common limits of a routed model, and the errors for models that do not fit together.
import { describe, expect, it } from "vitest";
import { routeModel } from "../../../src/ai-sdk/index.ts";
import { GrateLimiter } from "../../../src/index.ts";
import { ANSWER, apiError, languageModel, modelFixture } from "../../support/ai-sdk/models.ts";

type Fields = { readonly [name: string]: unknown };
const model = (fields: Fields) => ({ specificationVersion: "v3", provider: "test", modelId: "m", ...fields }) as never;
const doGenerate = async () => ANSWER;
const language = (supportedUrls: unknown) => model({ supportedUrls, doGenerate, doStream: doGenerate });
const embedding = (fields: Fields) =>
  model({ maxEmbeddingsPerCall: undefined, supportsParallelCalls: true, ...fields });
const image = (fields: Fields) => model({ maxImagesPerCall: undefined, doGenerate, ...fields });
const routed = (a: never, b: never) => routeModel(modelFixture().limiter, "chat", { a, b }) as unknown as Fields;
const doEmbed = async () => ({ embeddings: [[1]], usage: { tokens: 5 }, warnings: [] });

describe("what all models allow", () => {
  const urls = { "image/*": [/^https:/, /^http:/], "application/pdf": [/^https:/] };

  it("supportedUrls has the patterns of all language models, also if one is a promise", async () => {
    const common = { "image/*": [/^https:/] };
    const other = { "image/*": [/^https:/], "audio/*": [/./] };
    expect(routed(language(urls), language(other))["supportedUrls"]).toEqual(common);
    expect(await routed(language(Promise.resolve(urls)), language(other))["supportedUrls"]).toEqual(common);
    expect(routed(language(urls), language(undefined))["supportedUrls"]).toEqual({});
    expect(await routed(language(urls), language(Promise.reject(new Error("x"))))["supportedUrls"]).toEqual({});
  });

  it.each([
    [100, 20, 20],
    [undefined, 20, 20],
    [undefined, undefined, undefined],
    [Promise.resolve(100), 2_048, 100],
    [Promise.resolve(undefined), Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])("maxEmbeddingsPerCall of %s and %s", async (a, b, expected) => {
    const common = routed(
      embedding({ doEmbed, maxEmbeddingsPerCall: a }),
      embedding({ doEmbed, maxEmbeddingsPerCall: b }),
    );
    expect(await common["maxEmbeddingsPerCall"]).toBe(expected);
  });

  it("parallel calls are supported if all models support them", async () => {
    const yes = embedding({ doEmbed });
    expect(routed(yes, yes)["supportsParallelCalls"]).toBe(true);
    expect(routed(yes, embedding({ doEmbed, supportsParallelCalls: false }))["supportsParallelCalls"]).toBe(false);
    const later = embedding({ doEmbed, supportsParallelCalls: Promise.resolve(true) });
    expect(await routed(yes, later)["supportsParallelCalls"]).toBe(true);
  });

  it.each([
    [10, 4, 4],
    // A model without a statement makes one image.
    [10, undefined, 1],
    [({ modelId }: Fields) => (modelId === "m" ? 3 : 0), 4, 3],
    [async () => 3, 4, 3],
  ])("maxImagesPerCall of %s and %s", async (a, b, expected) => {
    const { maxImagesPerCall } = routed(image({ maxImagesPerCall: a }), image({ maxImagesPerCall: b }));
    expect(await (maxImagesPerCall as (options: object) => unknown)({ modelId: "chat" })).toBe(expected);
  });

  it("files and masks are supported if all image models support them, and unknown if one does not say", () => {
    const yes = image({ supportsFileInputs: true, supportsMaskInputs: true });
    expect(routed(yes, yes)).toMatchObject({ supportsFileInputs: true, supportsMaskInputs: true });
    expect(routed(yes, image({ supportsFileInputs: false }))).toMatchObject({
      supportsFileInputs: false,
      supportsMaskInputs: undefined,
    });
  });

  it("provider, modelId and version name the route", () => {
    const { doStream, ...common } = routed(language({}), language({}));
    expect(common).toMatchObject({ specificationVersion: "v3", provider: "grate-limiter", modelId: "chat" });
    expect(typeof doStream).toBe("function");
    expect(routed(image({}), image({}))).not.toHaveProperty("doStream");
  });

  it("methods work without their object, as proxies and destructuring call them", async () => {
    const { doEmbed: embed } = routed(embedding({ doEmbed }), embedding({ doEmbed }));
    expect(await (embed as (options: object) => unknown)({ values: ["a"] })).toMatchObject({ embeddings: [[1]] });
  });
});

describe("other kinds", () => {
  it("embeddings fail over, and the values are counted", async () => {
    const fixture = modelFixture();
    const broken = embedding({ doEmbed: () => Promise.reject(apiError(503)) });
    const common = routeModel(fixture.limiter, "chat", { a: broken, b: embedding({ doEmbed }) }) as unknown as Fields;
    const result = await (common["doEmbed"] as (options: object) => unknown)({ values: ["a"] });
    expect(result).toMatchObject({ providerMetadata: { grateLimiter: { provider: "b", attempts: 2 } } });
    expect(fixture.used("b")).toEqual([5, 0]);
  });

  it("each image has the provider, because the AI SDK hands on the metadata of images alone", async () => {
    const made = image({ doGenerate: async () => ({ images: ["x", "y"], warnings: [], response: {} }) });
    const common = routed(made, made);
    const { providerMetadata } = await (common["doGenerate"] as (options: object) => Promise<Fields>)({ prompt: "x" });
    const served = { provider: "a", attempts: 1 };
    expect(providerMetadata).toEqual({ grateLimiter: { ...served, images: [served, served] } });
  });

  it("transcription and speech models are routed", async () => {
    const speech = model({ doGenerate: async () => ({ audio: "x", warnings: [], response: {} }) });
    const common = routed(speech, speech);
    const result = await (common["doGenerate"] as (options: object) => unknown)({ text: "hi" });
    expect(result).toMatchObject({ audio: "x", providerMetadata: { grateLimiter: { provider: "a" } } });
  });
});

describe("models that do not fit", () => {
  const { limiter } = modelFixture();
  const a = languageModel("a", () => ANSWER);

  it.each<readonly [string, object, readonly string[]]>([
    [
      "missing and extra keys",
      { a, c: a },
      ["b: expected a model, got none", "c: expected a provider of the capability"],
    ],
    [
      "texts, nothing, and objects of other kinds",
      { a: "openai/gpt-5", b: null },
      [
        'a: expected a model of specification v2, v3 or v4, got the text "openai/gpt-5"',
        "b: expected a model of specification v2, v3 or v4, got null",
      ],
    ],
    [
      "an unknown version",
      { a, b: { ...a, specificationVersion: "v9" } },
      ["b: expected a model of specification v2, v3 or v4, got object"],
    ],
    [
      "two versions",
      { a, b: { ...a, specificationVersion: "v2" } },
      [
        "expected models of one kind and one specification",
        "a: language model of specification v3",
        "b: language model of specification v2",
      ],
    ],
    [
      "two kinds",
      { a, b: image({}) },
      [
        "expected models of one kind and one specification",
        "a: language model of specification v3",
        "b: image model of specification v3",
      ],
    ],
  ])("%s: one TypeError with all problems", (_, models, problems) => {
    expect(() => routeModel(limiter, "chat", models as never)).toThrow(
      new TypeError(`routeModel: models:\n  ${problems.join("\n  ")}`),
    );
  });

  it("an unknown capability throws UnknownCapability", () => {
    expect(() => routeModel(limiter, "chta", { a, b: a })).toThrow(/chta/);
  });

  it("names that objects inherit are names like others", async () => {
    const names = ["constructor", "toString"];
    const strange = new GrateLimiter({
      providers: names.map((name) => ({ name })),
      capabilities: { chat: names },
    });
    expect(() => routeModel(strange, "chat", {} as never)).toThrow(/constructor: expected a model, got none/);
    const routedModel = routeModel(strange, "chat", { constructor: a, toString: a } as never) as unknown as Fields;
    expect(await (routedModel["doGenerate"] as (options: object) => unknown)({})).toMatchObject(ANSWER);
  });
});
