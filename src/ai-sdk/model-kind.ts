import type { AnyModel } from "./model-types.ts";

/** Kind of a model. Transcription and speech models have the same members. */
export type ModelKind = "language" | "embedding" | "image" | "transcription or speech";

const VERSIONS: readonly unknown[] = ["v2", "v3", "v4"];

/** Kind of the model; undefined: it is no model. */
function kindOf(model: AnyModel): ModelKind | undefined {
  if (typeof model !== "object" || model === null || !VERSIONS.includes(model["specificationVersion"]))
    return undefined;
  if (typeof model.doEmbed === "function") return "embedding";
  if (typeof model.doGenerate !== "function") return undefined;
  if ("supportedUrls" in model && typeof model.doStream === "function") return "language";
  return "maxImagesPerCall" in model ? "image" : "transcription or speech";
}

/** The one kind of the models. Throws TypeError with all problems. */
export function commonKind(
  providers: readonly string[],
  models: { readonly [provider: string]: AnyModel },
): ModelKind | undefined {
  const names = Object.keys(models);
  const problems = [
    ...providers.filter((name) => !names.includes(name)).map((name) => `${name}: expected a model, got none`),
    ...names
      .filter((name) => !providers.includes(name))
      .map((name) => `${name}: expected a provider of the capability`),
  ];
  const kinds = new Map(
    names.map((name) => {
      const model = models[name]!;
      const kind = kindOf(model);
      if (kind === undefined) {
        problems.push(`${name}: expected a model of specification v2, v3 or v4, got ${nameOf(model)}`);
      }
      return [name, kind && `${kind} model of specification ${model["specificationVersion"]}`] as const;
    }),
  );
  if (new Set([...kinds.values()].filter((text) => text !== undefined)).size > 1) {
    problems.push("expected models of one kind and one specification");
    for (const [name, text] of kinds) if (text !== undefined) problems.push(`${name}: ${text}`);
  }
  if (problems.length > 0) throw new TypeError(`routeModel: models:\n  ${problems.join("\n  ")}`);
  return names.length > 0 ? kindOf(models[names[0]!]!) : undefined;
}

/** Description of a value, without its contents. */
function nameOf(value: unknown): string {
  if (typeof value === "string") return `the text ${JSON.stringify(value.slice(0, 100))}`;
  return value === null ? "null" : typeof value;
}
