/**
 * The way of a run through the sources: which files `locked_run backup` with two hooks visits from main.ts to its exit,
 * in which order, and how often it changes from one file to another. A measure of how natural that way is to read.
 *
 *   bun test/tools/way.ts            the files in the order of the first visit, and the two figures
 *   bun test/tools/way.ts --changes  the same, and which changes of file are made most often
 *   bun test/tools/way.ts --calls    every call, in the order of the run
 *
 * A copy of the sources is compiled in which each function says when it is entered, from the first statement of main.ts
 * on; what a module does when it is loaded later counts, too. Returns are not counted: to call
 * into another file is one change, and what the caller does next in its own file is no second one until it calls.
 */

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type FunctionLikeDeclaration,
  isBlock,
  isFunctionLikeDeclaration,
  type Node,
} from "typescript/unstable/ast";
import { API } from "typescript/unstable/async";
import { SERVED_LINE } from "../../lib/files/mounts.ts";
import { World } from "../support/world.ts";

const ROOT = join(import.meta.dir, "../..");

interface Call {
  readonly file: string;
  /** Its name, where it has one, and its line. */
  readonly what: string;
}

export interface Way {
  readonly calls: readonly Call[];
  /** In the order of the first visit. */
  readonly files: readonly string[];
  /** How often a function is entered that lies in another file than the one entered before it. */
  readonly changes: number;
}

/** Of the sources below `root`. Compiles them, which takes a second or two, and runs one backup. */
export async function wayOf(root = ROOT): Promise<Way> {
  const folder = mkdtempSync(join(tmpdir(), "rbh-way-"));
  try {
    const calls = await follow(await compile(root, folder), join(folder, "calls"));
    return {
      calls,
      files: [...new Set(calls.map(({ file }) => file))],
      changes: changesOf(calls).length,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const changesOf = (calls: readonly Call[]) =>
  calls.flatMap(({ file }, at) => {
    const before = calls[at - 1]?.file;
    return before === undefined || before === file ? [] : [`${before} → ${file}`];
  });

/** A run with two hooks and a restic that reports a snapshot. */
async function follow(program: string, output: string): Promise<Call[]> {
  using world = new World();
  for (const name of ["restic-backup-helper", "locked_run", "backup"]) {
    rmSync(join(world.bin, name));
    symlinkSync(program, join(world.bin, name));
  }
  world.restic(
    `echo '{"message_type":"summary","files_new":1,"total_files_processed":1,"total_bytes_processed":1,"snapshot_id":"a1b2c3d4e5f6"}'`,
  );
  world.hook("pre-backup", 'echo "pre $RBH_WORKER"');
  world.hook("post-backup", 'echo "post $1"');
  const words = ["locked_run", "backup", join(world.lock, "backup.lock"), join(world.bin, "backup")];
  // As under crond, a file takes stdout; a socket or a full pipe takes it later.
  const command = [...withoutServed(), "sh", "-c", 'exec "$@" >>cron.log', "sh", ...words];
  // The second one counts: nearly every tick has a run before it, with its record, its log and its lock file.
  for (let run = 0; run < 2; run++) {
    const { code, stdout, stderr } = await world.exec(command, { env: { WAY_OUTPUT: output } });
    if (code !== 0) throw new Error(`The run ended with ${code}.\n${stdout}${stderr}`);
  }
  return JSON.parse(readFileSync(output, "utf8"));
}

/**
 * Words before a command that has it see no network or FUSE mounts: a run asks these first, and other tests may have some
 * at this moment. Only root may hide them.
 */
function withoutServed(): string[] {
  if (process.getuid?.() !== 0) return [];
  const script = 'grep -P "$0" /proc/self/mountinfo | cut -d " " -f 5 | xargs -r umount -l; exec "$@"';
  return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, SERVED_LINE.source];
}

/** Returns the path of a program whose functions note each call. */
async function compile(root: string, folder: string): Promise<string> {
  for (const name of ["main.ts", "lib", "package.json", "tsconfig.json"])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  // A network mount on this machine, as another test makes one, is not a part of the way.
  const main = readFileSync(join(folder, "main.ts"), "utf8");
  writeFileSync(join(folder, "main.ts"), main.replace('"/proc/self/mountinfo"', '"/dev/null"'));
  await mark(folder);
  writeFileSync(join(folder, "note.ts"), NOTE);
  const program = join(folder, "program");
  const versions = ["--define", 'BUILD_VERSION="0.0.0"', "--define", 'BUILD_RELEASE="0.0.0-0.0.0"'];
  const build = ["build", "main.ts", "--compile", "--format=esm", ...versions, `--outfile=${program}`];
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, ...build], { cwd: folder });
  if (exitCode !== 0) throw new Error(`The marked sources do not compile.\n${stderr}`);
  return program;
}

/** The first module of the marked program: what its functions call, and what is written at its end. */
const NOTE = `
  const calls = [];
  globalThis.note = (file, what) => calls.push({ file, what });
  process.on("exit", () => require("node:fs").writeFileSync(process.env.WAY_OUTPUT, JSON.stringify(calls)));
  globalThis.begin = () => {
    calls.length = 0;
    note("main.ts", "start");
  };
`;

async function mark(folder: string): Promise<void> {
  const api = new API({ cwd: folder });
  try {
    const config = join(folder, "tsconfig.json");
    const project = (await api.updateSnapshot({ openProject: config })).getProject(config);
    for (const file of ["main.ts", ...new Bun.Glob("lib/**/*.ts").scanSync({ cwd: folder })]) {
      const path = join(folder, file);
      const source = await project?.program.getSourceFile(path);
      if (source === undefined) throw new Error(`${file} cannot be parsed.`);
      const head = file === "main.ts" ? 'import "./note.ts"; begin();' : "";
      writeFileSync(path, head + insert(source.text, marksOf(source, source.text, file)));
    }
  } finally {
    await api.close();
  }
}

type Insertion = readonly [at: number, text: string];

function marksOf(node: Node, text: string, file: string): Insertion[] {
  const own = isFunctionLikeDeclaration(node) ? markOf(node, text, file) : [];
  const inner: Insertion[] = [];
  node.forEachChild((child) => void inner.push(...marksOf(child, text, file)));
  return [...own, ...inner];
}

/** A block begins with the note; an arrow's expression becomes the second half of a comma. */
function markOf(node: FunctionLikeDeclaration, text: string, file: string): Insertion[] {
  const { body } = node;
  if (body === undefined) return [];
  const line = text.slice(0, node.getStart()).split("\n").length;
  const what = `${nameOf(node) ?? nameOf(node.parent) ?? "=>"}:${line}`;
  const note = `note(${JSON.stringify(file)}, ${JSON.stringify(what)})`;
  if (isBlock(body)) return [[body.getStart() + 1, `${note};`]];
  return [
    [body.getStart(), `(${note}, `],
    [body.end, ")"],
  ];
}

const nameOf = (node: Node): string | undefined => (node as { name?: Node }).name?.getText();

function insert(text: string, insertions: readonly Insertion[]): string {
  let at = 0;
  const pieces = [...insertions]
    .sort(([a], [b]) => a - b)
    .map(([next, inserted]) => {
      const piece = text.slice(at, next) + inserted;
      at = next;
      return piece;
    });
  return pieces.join("") + text.slice(at);
}

function report({ calls, files, changes }: Way, options: readonly string[]): string[] {
  const counts = Map.groupBy(changesOf(calls), (change) => change);
  const often = [...counts].map(([change, { length }]) => ({ change, length }));
  return [
    ...(options.includes("--calls") ? calls.map(({ file, what }) => `${file} ${what}`) : []),
    ...(options.includes("--changes")
      ? often.sort((a, b) => b.length - a.length).map(({ change, length }) => `${length} × ${change}`)
      : []),
    ...files,
    `${files.length} files, ${changes} changes of file, ${calls.length} calls`,
  ];
}

if (import.meta.main) for (const line of report(await wayOf(), process.argv.slice(2))) console.log(line);
