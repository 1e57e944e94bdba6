// The reference pages are complete: every option, event, error code and reason of the public types has its place.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { root } from "../support/documentation/files.ts";

function textOf(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(file, textOf(file), ts.ScriptTarget.ES2022, true);
}

/** The property names of an interface in `src/api`. */
function propertiesOf(file: string, name: string): readonly string[] {
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isInterfaceDeclaration(node) && node.name.text === name) {
      for (const member of node.members) if (member.name !== undefined) names.push(member.name.getText());
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(`src/api/${file}.ts`));
  if (names.length === 0) throw new Error(`src/api/${file}.ts has no interface ${name}`);
  return names;
}

/** The words of every literal type of a property, in a file of the source. */
function wordsOf(file: string, property: string): readonly string[] {
  const words = new Set<string>();
  const collect = (node: ts.Node): void => {
    if (ts.isLiteralTypeNode(node) && ts.isStringLiteral(node.literal)) words.add(node.literal.text);
    ts.forEachChild(node, collect);
  };
  const visit = (node: ts.Node): void => {
    const isProperty = ts.isPropertySignature(node) || ts.isPropertyDeclaration(node);
    if (isProperty && node.name.getText() === property && node.type !== undefined) collect(node.type);
    ts.forEachChild(node, visit);
  };
  visit(parse(file));
  if (words.size === 0) throw new Error(`${file} has no property ${property} with literal types`);
  return [...words];
}

function missingIn(page: string, words: readonly string[]): readonly string[] {
  const text = textOf(page);
  return words.filter((word) => !text.includes(`\`${word}\``));
}

describe("docs/reference/options.md", () => {
  it.each([
    ["options", "GrateLimiterOptions"],
    ["options", "HealthOptions"],
    ["provider-config", "ProviderConfig"],
    ["provider-config", "Price"],
    ["run-options", "SelectOptions"],
    ["run-options", "AcquireOptions"],
    ["run-options", "RunDefaults"],
    ["run-options", "StreamOptions"],
    ["run-options", "MapOptions"],
    ["usage", "Usage"],
  ])("of src/api/%s.ts, has every option of %s", (file, name) => {
    expect(missingIn("docs/reference/options.md", propertiesOf(file, name))).toEqual([]);
  });
});

describe("docs/reference/errors.md", () => {
  it("has every reason of a refusal", () => {
    expect(missingIn("docs/reference/errors.md", wordsOf("src/api/refusal.ts", "reason"))).toEqual([]);
  });

  it("has every kind of NoAvailableProviders and every code", () => {
    expect(missingIn("docs/reference/errors.md", wordsOf("src/errors.ts", "kind"))).toEqual([]);
    const codes = /type ErrorCode =([^;]+);/.exec(textOf("src/errors.ts"))?.[1] ?? "";
    const words = [...codes.matchAll(/"(\w+)"/g)].map(([, code]) => code!);
    expect(words.length).toBeGreaterThan(3);
    expect(missingIn("docs/reference/errors.md", words)).toEqual([]);
  });
});

describe("the guides", () => {
  it("have every word of `limits` and every event", () => {
    expect(missingIn("docs/guides/limits.md", propertiesOf("provider-config", "Limits"))).toEqual([]);
    expect(missingIn("docs/guides/monitoring.md", propertiesOf("events", "LimiterEvents"))).toEqual([]);
  });

  it("have every state of a provider", () => {
    expect(missingIn("docs/guides/health.md", wordsOf("src/api/inspection.ts", "state"))).toEqual([]);
  });

  it("have every status of an outcome", () => {
    const words = [...textOf("src/api/status-class.ts").matchAll(/^ {2}\w+: "(\w+)"/gm)].map(([, word]) => word!);
    expect(words).toHaveLength(11);
    expect(missingIn("docs/guides/health.md", words)).toEqual([]);
  });
});
