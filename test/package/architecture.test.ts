// Reads the source and holds its layout: who may import whom, what no file may name, how long a file may be.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../src", import.meta.url));

/** The order in which a request flows through the source; imports point down. Files of one line are of one rank. */
const ORDER = [
  ["index.ts"],
  ["grate-limiter.ts"],
  ["inspect.ts", "snapshot.ts"],
  ...["run", "admission", "selection", "observation", "provider", "profile", "scoring"].map((folder) => [folder]),
  ...["health", "forecast", "quota", "config", "clock"].map((folder) => [folder]),
  ["metrics.ts", "events.ts", "errors.ts"],
];

/** What may import types of public shapes from above. */
const MAY_LOOK_UP = ["errors.ts", "events.ts", "config"];
/** Public as the type of a public field, though it has no name in the public list. */
const PUBLIC_FIELDS = ["Problem"];

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
  /** What is imported, where it is imported by name. */
  readonly names: readonly string[];
}

interface SourceFile {
  /** Path within src, with forward slashes. */
  readonly path: string;
  readonly lines: number;
  readonly tree: ts.SourceFile;
  readonly imports: readonly Import[];
}

function read(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), "utf8");
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  const imports: Import[] = [];
  walk(tree, (node) => {
    const specifier =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node) ? node.moduleSpecifier : callSpecifier(node);
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return;
    const isType =
      (ts.isImportDeclaration(node) && node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) ||
      (ts.isExportDeclaration(node) && node.isTypeOnly) ||
      ts.isImportTypeNode(node);
    const isOwn = specifier.text.startsWith(".");
    const to = isOwn ? relative(ROOT, join(ROOT, dirname(path), specifier.text)).replaceAll("\\", "/") : specifier.text;
    const bindings = ts.isImportDeclaration(node) ? node.importClause?.namedBindings : undefined;
    const elements = bindings !== undefined && ts.isNamedImports(bindings) ? bindings.elements : undefined;
    const names = elements?.map(({ name, propertyName }) => (propertyName ?? name).text) ?? ["everything"];
    imports.push({ from: path, to, isType, names });
  });
  return { path, lines: text.trimEnd().split("\n").length, tree, imports };
}

/** The argument of `import("...")`, of `require("...")`, and of a type's `import("...")`. */
function callSpecifier(node: ts.Node): ts.Node | undefined {
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined;
  if (!ts.isCallExpression(node)) return undefined;
  const isCall =
    node.expression.kind === ts.SyntaxKind.ImportKeyword ||
    (ts.isIdentifier(node.expression) && node.expression.text === "require");
  return isCall ? node.arguments[0] : undefined;
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

const FILES = readdirSync(ROOT, { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => path.endsWith(".ts"))
  .sort()
  .map(read);
const IMPORTS = FILES.flatMap((file) => file.imports);

const top = (path: string) => path.split("/")[0]!;
const rank = (path: string) => ORDER.findIndex((names) => names.includes(top(path)));
const arrow = ({ from, to }: Import) => `${from} -> ${to}`;

/** Where in the source an identifier or a text of one of these names stands, comments aside. */
function mentions(names: readonly string[], isExempt: (path: string) => boolean): string[] {
  return FILES.filter(({ path }) => !isExempt(path)).flatMap(({ path, tree }) => {
    const found: string[] = [];
    walk(tree, (node) => {
      if (!ts.isIdentifier(node) && !ts.isStringLiteralLike(node)) return;
      if (names.includes(node.text)) found.push(`${path}: ${node.text}`);
    });
    return found;
  });
}

describe("imports", () => {
  it("are found", () => {
    expect(FILES.length).toBeGreaterThan(30);
    expect(IMPORTS.filter(({ isType }) => !isType).length).toBeGreaterThan(40);
    expect(IMPORTS.filter(({ isType }) => isType).length).toBeGreaterThan(40);
  });

  it("are of files of the source: no package and no runtime", () => {
    const known = new Set(FILES.map(({ path }) => path));
    expect(IMPORTS.filter(({ to }) => !known.has(to)).map(arrow)).toEqual([]);
  });

  it("every file has its place in the order", () => {
    expect(FILES.map(({ path }) => path).filter((path) => rank(path) < 0)).toEqual([]);
  });

  it("point down; but types of public shapes may come from above to errors, events and config", () => {
    const { tree } = FILES.find(({ path }) => path === "index.ts")!;
    const published = new Set(PUBLIC_FIELDS);
    walk(tree, (node) => ts.isExportSpecifier(node) && published.add(node.name.text));
    const isPublic = ({ names }: Import) => names.every((name) => published.has(name));
    const up = IMPORTS.filter(({ from, to }) => rank(to) < rank(from));
    expect(up.length).toBeGreaterThan(0);
    const isAllowed = (one: Import) => one.isType && MAY_LOOK_UP.includes(top(one.from)) && isPublic(one);
    expect(up.filter((one) => !isAllowed(one)).map(arrow)).toEqual([]);
  });

  it("of the inspection and the snapshot are the limiter's alone; of a type, the public list's too", () => {
    const readers = IMPORTS.filter(({ to }) => ["inspect.ts", "snapshot.ts"].includes(to));
    const isAllowed = ({ from, isType }: Import) => from === "grate-limiter.ts" || (from === "index.ts" && isType);
    expect(readers.filter((one) => !isAllowed(one)).map(arrow)).toEqual([]);
  });

  it("of the public list are nobody's", () => {
    expect(IMPORTS.filter(({ to }) => to === "index.ts").map(arrow)).toEqual([]);
  });

  it("of values make no cycle", () => {
    const values = IMPORTS.filter(({ isType }) => !isType);
    const finished = new Set<string>();
    const cycleFrom = (path: string, way: readonly string[]): readonly string[] | null => {
      if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
      if (finished.has(path)) return null;
      for (const { to } of values.filter(({ from }) => from === path)) {
        const cycle = cycleFrom(to, [...way, path]);
        if (cycle !== null) return cycle;
      }
      finished.add(path);
      return null;
    };
    for (const { path } of FILES) expect(cycleFrom(path, [])).toBeNull();
  });

  it("of quota, forecast, health and scoring know no clock that runs, no events and no providers", () => {
    const pure = IMPORTS.filter(({ from }) => ["quota", "forecast", "health", "scoring"].includes(top(from)));
    const banned = ["events.ts", "metrics.ts", "clock/clock.ts", "clock/engine-time.ts", "clock/real-clock.ts"];
    const isBanned = (to: string) => banned.includes(to) || ["provider", "selection", "observation"].includes(top(to));
    expect(pure.filter(({ to }) => isBanned(to)).map(arrow)).toEqual([]);
  });
});

describe("the two profiles", () => {
  const isProfile = (path: string) => path.startsWith("profile/");

  it("are named nowhere else, but where the option is declared and where its two words are checked", () => {
    const named = mentions(["classic", "anticipatory"], isProfile).sort();
    const allowed = ["config/options.ts", "config/validator.ts"].flatMap((path) => [
      `${path}: anticipatory`,
      `${path}: classic`,
    ]);
    expect(named).toEqual(allowed);
  });

  it("are compared nowhere else", () => {
    const compared = FILES.filter(({ path }) => !isProfile(path)).flatMap(({ path, tree }) => {
      const found: string[] = [];
      walk(tree, (node) => {
        const sides = ts.isBinaryExpression(node)
          ? isComparison(node.operatorToken.kind)
            ? [node.left, node.right]
            : []
          : ts.isSwitchStatement(node)
            ? [node.expression]
            : [];
        if (sides.some((side) => /(^|\.)#?profile$/.test(side.getText()))) found.push(`${path}: ${node.getText()}`);
      });
      return found;
    });
    expect(compared).toEqual([]);
  });

  it("have no flags: nothing of a profile or of its dialect is a boolean, or answers one", () => {
    const flags: string[] = [];
    for (const [path, name] of [
      ["profile/profile.ts", "Profile"],
      ["config/dialect.ts", "Dialect"],
    ]) {
      const { tree } = FILES.find((file) => file.path === path)!;
      const declared = tree.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === name);
      expect(declared, `interface ${name}`).toBeDefined();
      walk(declared!, (node) => {
        if (!ts.isPropertySignature(node) && !ts.isMethodSignature(node)) return;
        if (/\bboolean\b|\b(true|false)\b/.test(node.type?.getText() ?? "")) flags.push(node.getText());
      });
    }
    expect(flags).toEqual([]);
  });
});

function isComparison(kind: ts.SyntaxKind): boolean {
  const { EqualsEqualsToken, EqualsEqualsEqualsToken, ExclamationEqualsToken } = ts.SyntaxKind;
  return [
    ...[EqualsEqualsToken, EqualsEqualsEqualsToken, ExclamationEqualsToken],
    ...[ts.SyntaxKind.ExclamationEqualsEqualsToken, ts.SyntaxKind.InstanceOfKeyword],
  ].includes(kind);
}

describe("the core", () => {
  it("names no runtime", () => {
    expect(mentions(["process", "Buffer", "require", "__dirname", "Deno", "Bun", "document"], () => false)).toEqual([]);
  });

  it("has timers and reads clocks in its folder of clocks alone", () => {
    const clocks = [
      "setTimeout",
      "clearTimeout",
      "setInterval",
      "setImmediate",
      "queueMicrotask",
      "performance",
      "Date",
    ];
    expect(mentions(clocks, (path) => path.startsWith("clock/"))).toEqual([]);
  });
});

describe("files", () => {
  it("are about 300 lines at most", () => {
    // The public object is mostly docstrings and signatures.
    const most = (path: string) => (path === "grate-limiter.ts" ? 380 : 320);
    expect(FILES.filter(({ path, lines }) => lines > most(path)).map(({ path, lines }) => `${path}: ${lines}`)).toEqual(
      [],
    );
  });

  it("are named in kebab-case, after what they are about", () => {
    const names = FILES.flatMap(({ path }) => path.replace(/\.ts$/, "").split("/"));
    expect(names.filter((name) => !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))).toEqual([]);
    const vague = ["utils", "util", "types", "helpers", "helper", "constants", "common", "misc", "shared"];
    expect(names.filter((name) => vague.includes(name))).toEqual([]);
  });

  it("the public list is written by hand", () => {
    const { tree } = FILES.find(({ path }) => path === "index.ts")!;
    for (const statement of tree.statements) {
      expect(ts.isExportDeclaration(statement) && statement.exportClause !== undefined, statement.getText()).toBe(true);
    }
  });
});
