// Models of the AI SDK by their structure, in the versions 2, 3 and 4 of its specification. The package `ai` is not imported,
// so that a program can use any of its releases.

/** Members of every model. */
interface SdkModel {
  readonly specificationVersion: "v2" | "v3" | "v4";
  readonly provider: string;
  readonly modelId: string;
}

/** Language model, as `openai("gpt-5")` returns it. */
export interface SdkLanguageModel extends SdkModel {
  readonly supportedUrls: unknown;
  doGenerate(options: never): PromiseLike<object>;
  doStream(options: never): PromiseLike<object>;
}

/** Embedding model, as `openai.embedding("text-embedding-3-small")` returns it. */
export interface SdkEmbeddingModel extends SdkModel {
  readonly maxEmbeddingsPerCall: unknown;
  readonly supportsParallelCalls: unknown;
  doEmbed(options: never): PromiseLike<object>;
}

/** Image, transcription or speech model. */
export interface SdkMediaModel extends SdkModel {
  doGenerate(options: never): PromiseLike<object>;
}

/** Model that `routeModel` accepts. */
export type RoutableModel = SdkLanguageModel | SdkEmbeddingModel | SdkMediaModel;

type CommonMember = "specificationVersion" | "provider" | "modelId" | "doGenerate";
type LanguageMember = CommonMember | "supportedUrls" | "doStream";
type EmbeddingMember = CommonMember | "maxEmbeddingsPerCall" | "supportsParallelCalls" | "doEmbed";
type MediaMember = CommonMember | "maxImagesPerCall" | "supportsFileInputs" | "supportsMaskInputs";

/** Model with the members that the specification has for the kind of `M`, so that the functions of the AI SDK accept it. */
export type RoutedModel<M> = M extends SdkLanguageModel
  ? Pick<M, keyof M & LanguageMember>
  : M extends SdkEmbeddingModel
    ? Pick<M, keyof M & EmbeddingMember>
    : Pick<M, keyof M & MediaMember>;

/** Options with which the AI SDK calls a model. */
export type CallOptionsOf<M> = M extends { doEmbed(options: infer Options): unknown }
  ? Options
  : M extends { doGenerate(options: infer Options): unknown }
    ? Options
    : never;

/** Any object of the AI SDK. */
export type Json = { readonly [key: string]: unknown };

/** A model with members that the compiler does not know. */
export type AnyModel = Json & {
  readonly [method in "doGenerate" | "doStream" | "doEmbed"]?: (options: Json) => PromiseLike<Json>;
};
