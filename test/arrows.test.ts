// The imports of the program run one way, so that each part can be read, and changed, without those above it.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";

const root = join(import.meta.dir, "..");

/**
 * Who may import whom: a part only what stands below it. restic/ and rclone/ stand above run/ because they call
 * their tool within a run; run/ never knows of them: a worker hands it the work as a function.
 */
const LAYERS = [
  ["main.ts"],
  ["lib/cli"],
  ["lib/workers"],
  [
    "lib/doctor",
    "lib/entry",
    "lib/export",
    "lib/mount",
    "lib/restore",
    "lib/restore-test",
    "lib/sources",
    "lib/status",
  ],
  ["lib/restic", "lib/rclone"],
  ["lib/run"],
  ["lib/hooks", "lib/notify"],
  ["lib/state"],
  ["lib/process"],
];
/** The leaves: lib/*.ts, each for itself, and these folders. They import nothing but each other. */
const LEAF_FOLDERS = [
  "lib/config",
  "lib/files",
  "lib/log",
  "lib/manual",
  "lib/schedule",
  "lib/schema",
  "lib/time",
];

/** The most files that lie in lib/ itself: what every part needs, and what belongs to none of them. */
const LOOSE_MOST = 10;
/** A file of fewer lines is a piece of another one, unless it says here why it stands alone. */
const LINES_LEAST = 25;
const SHORT: Readonly<Record<string, string>> = {
  "lib/schema/index.ts": "the schemas beside it are its content",
  "lib/manual/markdown.d.ts": "what TypeScript must be told of the pages beside it",
  "lib/workers/": "a command is a file, however short",
};

interface Source {
  readonly path: string;
  readonly lines: number;
  /** Without comments. */
  readonly code: string;
  readonly imports: readonly string[];
}

const sources = ["main.ts", ...new Bun.Glob("lib/**/*.ts").scanSync({ cwd: root })].sort().map(read);

function read(path: string): Source {
  const text = readFileSync(join(root, path), "utf8");
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
  // Type-only imports too: who needs a type of a part knows of that part.
  const found = code.matchAll(/(?:(?<![\w-])from\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)"([^"\s]+)"/g);
  const lines = text.split("\n").length - 1;
  return {
    path,
    lines,
    code,
    imports: [...new Set([...found].map(([, target = ""]) => resolved(path, target)))],
  };
}

function resolved(from: string, target: string): string {
  return target.startsWith(".") ? normalize(join(dirname(from), target)) : target;
}

/** The part that a file belongs to: its folder below lib, or itself. */
function partOf(path: string): string {
  return /^lib\/[^/]+(?=\/)/.exec(path)?.[0] ?? path;
}

const isOurs = (path: string) => path === "main.ts" || path.startsWith("lib/");
const isLeaf = (part: string) => /^lib\/[^/]+\.ts$/.test(part) || LEAF_FOLDERS.includes(part);
/** 0 for main.ts, more for what stands below; the leaves stand lowest. */
const depthOf = (part: string) =>
  isLeaf(part) ? LAYERS.length : LAYERS.findIndex((parts) => parts.includes(part));

const arrows = sources.flatMap(({ path, imports }) =>
  imports.filter(isOurs).map((target) => ({ path, target, from: partOf(path), to: partOf(target) })),
);
const between = arrows.filter(({ from, to }) => from !== to);
const shown = ({ path, target }: { path: string; target: string }) => `${path} → ${target}`;

describe("arrows", () => {
  test("the imports are seen: of types, of values, and lazy ones", () => {
    expect(arrows.map(shown)).toContain("main.ts → lib/cli/dispatch.ts");
    expect(arrows.map(shown)).toContain("lib/restic/restic.ts → lib/run/run.ts");
    expect(arrows.map(shown)).toContain("lib/cli/dispatch.ts → lib/cli/builtins.ts");
    expect(arrows.map(shown)).toContain("lib/workers/index.ts → lib/workers/backup.ts");
  });

  test("every part has its place (a new folder below lib: give it one here and in the README)", () => {
    const parts = [...new Set(sources.map(({ path }) => partOf(path)))];
    expect(parts.filter((part) => depthOf(part) < 0)).toEqual([]);
  });

  test("every import leads to a file of ours, to node, or to one of the two packages", () => {
    const schemas = new Bun.Glob("lib/schema/*.json").scanSync({ cwd: root });
    const pages = new Bun.Glob("lib/manual/*.md").scanSync({ cwd: root });
    const known = new Set([...sources.map(({ path }) => path), ...schemas, ...pages]);
    const strange = sources.flatMap(({ path, imports }) =>
      imports
        .filter((target) => !known.has(target) && !/^(node:|citty$|consola(\/|$))/.test(target))
        .map((target) => `${path} → ${target}`),
    );
    expect(strange).toEqual([]);
  });

  test("none turns round: main → cli → workers → their folders → restic, rclone → run → hooks, notify → process → leaves", () => {
    const wrong = between.filter(({ from, to }) => !isLeaf(from) && depthOf(to) <= depthOf(from));
    expect(wrong.map(shown)).toEqual([]);
  });

  test("a leaf imports leaves only", () => {
    expect(between.filter(({ from, to }) => isLeaf(from) && !isLeaf(to)).map(shown)).toEqual([]);
  });

  test("no circle, neither of folders nor of the files in them", () => {
    expect(circle(between.map(({ from, to }) => [from, to]))).toEqual([]);
    expect(circle(arrows.map(({ path, target }) => [path, target]))).toEqual([]);
  });

  test("a worker imports no other worker", () => {
    const wrong = arrows.filter(
      ({ path, from, to }) =>
        from === "lib/workers" && to === "lib/workers" && path !== "lib/workers/index.ts",
    );
    expect(wrong.map(shown)).toEqual([]);
  });

  test("run/ knows neither restic nor rclone", () => {
    const wrong = arrows.filter(({ from, to }) => from === "lib/run" && /^lib\/(restic|rclone)$/.test(to));
    expect(wrong.map(shown)).toEqual([]);
  });
});

describe("rooms", () => {
  const files = sources.map(({ path }) => path).filter((path) => path.startsWith("lib/"));

  test("no two files of one name, but index.ts: a name says which file is meant", () => {
    const named = Map.groupBy(files, (path) => basename(path));
    named.delete("index.ts");
    expect([...named.values()].filter(({ length }) => length > 1)).toEqual([]);
  });

  test(`at most ${LOOSE_MOST} files lie in lib/ itself`, () => {
    const loose = files.filter((path) => dirname(path) === "lib");
    expect(loose.slice(LOOSE_MOST)).toEqual([]);
  });

  test(`a file below ${LINES_LEAST} lines says why it stands alone`, () => {
    const short = sources.filter(({ path, lines }) => path !== "main.ts" && lines < LINES_LEAST);
    const listed = (path: string) => path in SHORT || `${dirname(path)}/` in SHORT;
    expect(short.map(({ path }) => path).filter((path) => !listed(path))).toEqual([]);
    const places = new Set(files.flatMap((path) => [path, `${dirname(path)}/`]));
    expect(Object.keys(SHORT).filter((place) => !places.has(place))).toEqual([]);
  });
});

describe("what only one file does", () => {
  const users = (words: RegExp) => sources.filter(({ code }) => words.test(code)).map(({ path }) => path);

  test("Bun.spawn", () => {
    expect(users(/\bBun\s*\.\s*spawn|node:child_process|from "bun"/)).toEqual(["lib/runtime.ts"]);
  });

  test("process.exit", () => {
    expect(users(/\bprocess\s*\.\s*(exit|reallyExit|abort)\b(?!ed)/)).toEqual(["main.ts"]);
  });

  test("each trace of a run has its path in one place, from which lib/state reads it", () => {
    expect(users(/\/last-\$\{\w+\}\.json/)).toEqual(["lib/context.ts"]);
    expect(users(/\}\/history\.jsonl/)).toEqual(["lib/state/history.ts"]);
    expect(users(/\.run\.json/)).toEqual(["lib/state/marker.ts"]);
    expect(users(/\}\.skips/)).toEqual(["lib/state/holder.ts"]);
  });

  test("one file names Bun", () => {
    expect(users(/\bBun\s*\./)).toEqual(["lib/runtime.ts"]);
  });
});

test("no module of node that is slow to load is imported at the top of a file", () => {
  // The bundle pulls such imports to its own top, so that every tick pays for them: node:util, node:tty, node:os and
  // their like cost 0.3 to 2 ms each. Inside a function, require() and import() stay where they are.
  const slow = sources.flatMap(({ path, code }) =>
    [...code.matchAll(/^(?:import|export)\s(?:[^;()]*?\sfrom\s)?"(node:[^"]+)"/gm)]
      .filter(([statement, name = ""]) => !/^(import|export) type\b/.test(statement) && name !== "node:fs")
      .map(([, name]) => `${path} → ${name}`),
  );
  expect(slow).toEqual([]);
});

/** The first circle that the arrows make, as a path; empty when there is none. */
function circle(edges: readonly (readonly [from: string, to: string])[]): string[] {
  const targets = Map.groupBy(edges, ([from]) => from);
  const done = new Set<string>();
  const visit = (node: string, way: readonly string[]): string[] => {
    if (way.includes(node)) return [...way.slice(way.indexOf(node)), node];
    if (done.has(node)) return [];
    for (const [, next] of targets.get(node) ?? []) {
      const found = visit(next, [...way, node]);
      if (found.length > 0) return found;
    }
    done.add(node);
    return [];
  };
  for (const node of targets.keys()) {
    const found = visit(node, []);
    if (found.length > 0) return found;
  }
  return [];
}
