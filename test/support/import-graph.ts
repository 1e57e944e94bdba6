// Rules about the imports of a source tree, as pure functions over a list of imports. Paths use forward slashes and are
// relative to the source folder; a file outside every folder counts as a folder of its own.

/** One import, `import type` or not. */
export interface ImportEdge {
  readonly from: string;
  readonly to: string;
}

/** Returns the top-level folder of a path, or the path itself if the file is in no folder. */
export function folderOf(path: string): string {
  return path.split("/")[0]!;
}

export function describeEdge({ from, to }: ImportEdge): string {
  return `${from} -> ${to}`;
}

/** Returns the files that have no place in the order of folders. */
export function unrankedFiles(paths: readonly string[], order: readonly string[]): string[] {
  return paths.filter((path) => !order.includes(folderOf(path)));
}

/** Returns the imports that neither stay in their folder nor point down the order. */
export function upwardImports(edges: readonly ImportEdge[], order: readonly string[]): ImportEdge[] {
  return edges.filter(({ from, to }) => {
    const [importer, imported] = [folderOf(from), folderOf(to)];
    return importer !== imported && order.indexOf(imported) <= order.indexOf(importer);
  });
}

/** Returns the imports of one folder that leave the folder. */
export function importsLeaving(edges: readonly ImportEdge[], folder: string): ImportEdge[] {
  return edges.filter(({ from, to }) => folderOf(from) === folder && folderOf(to) !== folder);
}

/** Returns the pairs of folders that import each other, each pair once, as `a <-> b`. */
export function mutualFolders(edges: readonly ImportEdge[]): string[] {
  const between = new Set(edges.map(({ from, to }) => `${folderOf(from)} ${folderOf(to)}`));
  const pairs = [...between].map((pair) => pair.split(" ") as [string, string]);
  return pairs.filter(([a, b]) => a < b && between.has(`${b} ${a}`)).map(([a, b]) => `${a} <-> ${b}`);
}

/**
 * Returns every group of files that can reach each other through imports, sorted. A file that imports itself is a group
 * of one. The groups are the strongly connected components of the graph (Tarjan 1972).
 */
export function importCycles(edges: readonly ImportEdge[]): string[][] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of edges) {
    targets.set(from, [...(targets.get(from) ?? []), to]);
    if (!targets.has(to)) targets.set(to, []);
  }
  const indexOf = new Map<string, number>();
  const lowestReachable = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (path: string): void => {
    const index = indexOf.size;
    indexOf.set(path, index);
    lowestReachable.set(path, index);
    stack.push(path);
    for (const target of targets.get(path)!) {
      if (!indexOf.has(target)) visit(target);
      if (stack.includes(target)) {
        lowestReachable.set(path, Math.min(lowestReachable.get(path)!, lowestReachable.get(target)!));
      }
    }
    if (lowestReachable.get(path) !== index) return;
    const group = stack.splice(stack.indexOf(path));
    if (group.length > 1 || targets.get(path)!.includes(path)) cycles.push(group.sort());
  };
  for (const path of targets.keys()) if (!indexOf.has(path)) visit(path);
  return cycles.sort();
}
