/**
 * Finds the hooks of a phase, and determines whether each can run and who else could change what it runs. doctor and a
 * run's log use the same words, which users know from earlier versions of doctor.
 */

import {
  accessSync,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
  statSync,
} from "node:fs";
import { errnoOf, reasonOf } from "../errors.ts";
import { demandAnswer, silent } from "../files/mounts.ts";
import { resolveProgram } from "../process/spawn.ts";

export interface Hook {
  readonly phase: string;
  readonly path: string;
  /** The path for messages: `hooks/pre-backup.sh`. */
  readonly shown: string;
  /** What doctor prints after the path: `executable`, `not executable (mode 0644)` … */
  readonly state: string;
  /** The command that starts it; undefined when it cannot run. */
  readonly command: readonly string[] | undefined;
  /** What to do about a hook that cannot run. */
  readonly remedy?: string;
  /** A reason to warn although it can run: others than its owner can write it, or an unexpected user owns it. */
  readonly caution?: string;
  /** The paths of the programs that its `#!` line names; absent for a program, and where it cannot run. */
  readonly interpreters?: readonly string[];
  /** Its text, where that mentions a command that freezes a file system: see freeze.ts. */
  readonly freezes?: string;
}

/** The hooks of a phase in the order in which they run, including those that cannot run. */
export function discoverHooks(hooksDir: string, phase: string, searchPath: string | undefined): Hook[] {
  const folder = `${phase}.d`;
  const { names, problem } = scriptsIn(`${hooksDir}/${folder}`);
  const hooks = [`${phase}.sh`, ...names.map((name) => `${folder}/${name}`)]
    .map((file) => inspect(phase, `${hooksDir}/${file}`, `hooks/${file}`, searchPath))
    .filter((hook) => hook !== undefined);
  if (problem === undefined) return hooks;
  // The unreadable folder is listed in place of the hooks that may be in it: they are never skipped silently.
  const unread = { phase, path: `${hooksDir}/${folder}`, shown: `hooks/${folder}`, command: undefined };
  return [
    ...hooks,
    { ...unread, state: problem, remedy: "Make it a folder that the running user can read." },
  ];
}

/** The paths of the hooks of a phase that are there, whether they can run or not. Throws nothing. */
export function hookPaths(hooksDir: string, phase: string): string[] {
  try {
    if (silent.size > 0) demandAnswer(hooksDir);
    const parts = scriptsIn(`${hooksDir}/${phase}.d`).names.map((name) => `${hooksDir}/${phase}.d/${name}`);
    const main = `${hooksDir}/${phase}.sh`;
    return lstatSync(main, { throwIfNoEntry: false }) === undefined ? parts : [main, ...parts];
  } catch {
    // HOOKS_DIR cannot be searched, which is said when they are to run.
    return [];
  }
}

/** Names ending in `.sh`, in byte order; hidden files (`..data` of a ConfigMap) are not scripts. */
function scriptsIn(folder: string): { names: string[]; problem?: string } {
  try {
    if (silent.size > 0) demandAnswer(folder);
    if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) return { names: [] };
    const names = readdirSync(folder).filter((name) => name.endsWith(".sh") && !name.startsWith("."));
    return { names: names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))) };
  } catch (error) {
    // Most phases have no such folder.
    return errnoOf(error) === "ENOENT"
      ? { names: [] }
      : { names: [], problem: `cannot be read (${reasonOf(error)})` };
  }
}

function inspect(
  phase: string,
  path: string,
  shown: string,
  searchPath: string | undefined,
): Hook | undefined {
  const hook = { phase, path, shown };
  const broken = (state: string, remedy: string): Hook => ({ ...hook, state, remedy, command: undefined });
  let stat: Stats;
  try {
    if (silent.size > 0) demandAnswer(path);
    stat = statSync(path);
  } catch (error) {
    const code = errnoOf(error);
    const isOfLink = code !== undefined && isLink(path);
    if (code === "ELOOP" && isOfLink) return broken("a link that leads back to itself", "Remove the link.");
    if (code !== "ENOENT") return broken(`cannot be examined (${reasonOf(error)})`, examinationRemedy(code));
    if (isOfLink) return broken("a dangling link", "Mount what the link points to, or remove the link.");
    // Listed, but not found: decoding has changed its name.
    return path.includes("\ufffd") ? broken("a name that is not UTF-8", "Rename it.") : undefined;
  }
  if (!stat.isFile()) return broken(describeIrregular(stat), "Put a regular file in its place.");

  const mode = `mode ${octal(stat)}`;
  if (!allows(path, constants.X_OK)) {
    return (stat.mode & 0o111) === 0
      ? broken(`not executable (${mode})`, `Run: chmod 0755 ${path} (for a ConfigMap: defaultMode 0755).`)
      : broken(
          `not executable (${mode}, but refused)`,
          "Its mount may be noexec, or its owner another user.",
        );
  }
  if (!allows(path, constants.R_OK)) {
    return broken(`unreadable (${mode})`, `Run: chmod a+r ${path}; its interpreter must be able to read it.`);
  }
  const interpreted = readInterpreter(path, stat.size, searchPath);
  if (interpreted.problem !== undefined) return broken(interpreted.problem, interpreted.remedy);
  const caution = judgeAccess(stat);
  const { freezes, state, command, interpreters } = interpreted;
  return {
    ...hook,
    state,
    command,
    ...(interpreters === undefined ? {} : { interpreters }),
    ...(caution === undefined ? {} : { caution }),
    ...(freezes === undefined ? {} : { freezes }),
  };
}

type Interpreted =
  | { readonly problem: string; readonly remedy: string }
  | {
      readonly problem?: undefined;
      readonly state: string;
      readonly command: readonly string[];
      readonly interpreters?: readonly string[];
      readonly freezes?: string;
    };

/** Linux reads this much of a `#!` line (BINPRM_BUF_SIZE). */
const HEAD_BYTES = 256;
/** Bytes of a hook in which a command that freezes is looked for: one read takes them all. */
const TEXT_BYTES = 64 * 1024;

function readInterpreter(path: string, size: number, searchPath: string | undefined): Interpreted {
  try {
    const text = readStart(path, Math.min(size, TEXT_BYTES));
    const found = findInterpreter(path, text.toString("latin1", 0, HEAD_BYTES), searchPath);
    if (found.problem !== undefined || !text.includes("freeze")) return found;
    const whole = text.toString("utf8");
    return mentionsFreeze(whole) ? { ...found, freezes: whole } : found;
  } catch (error) {
    // access(2) allowed it, but reading fails: a network file system that squashes root, or a file just deleted.
    return { problem: `unreadable (${reasonOf(error)})`, remedy: "Its interpreter must be able to read it." };
  }
}

function findInterpreter(path: string, head: string, searchPath: string | undefined): Interpreted {
  if (head.startsWith("\x7fELF")) return { state: "executable", command: [path] };
  if (head.startsWith("\xef\xbb\xbf")) {
    return {
      problem: "begins with a byte order mark",
      remedy: "Save it as UTF-8 without a byte order mark.",
    };
  }
  if (!head.startsWith("#!")) {
    return {
      state: "executable (no #! line: /bin/sh)",
      command: ["/bin/sh", path],
      interpreters: ["/bin/sh"],
    };
  }
  const line = head.slice(2).split("\n")[0] ?? "";
  if (line.endsWith("\r")) {
    return { problem: "CRLF line endings", remedy: `Run: sed -i 's/\\r$//' ${path}.` };
  }
  const [interpreter = "", ...rest] = line.trim().split(/[ \t]+/);
  const { missing, interpreters } = findPrograms(interpreter, rest, searchPath);
  if (missing !== undefined) {
    return {
      problem: `${missing}: not in this image`,
      remedy: "Install it in the image, or write the hook for #!/bin/sh.",
    };
  }
  return { state: "executable", command: [path], interpreters };
}

/** The interpreter, and what env(1) has to find; `missing` names what is not there, with its argument where that is it. */
function findPrograms(
  interpreter: string,
  words: readonly string[],
  searchPath: string | undefined,
): { readonly missing?: string; readonly interpreters: readonly string[] } {
  const find = (program: string) => {
    try {
      return resolveProgram(program, searchPath);
    } catch {
      // CannotStart: it is not runnable.
      return undefined;
    }
  };
  const found = interpreter.startsWith("/") ? find(interpreter) : undefined;
  if (found === undefined) return { missing: interpreter || "an empty #! line", interpreters: [] };
  if (!interpreter.endsWith("/env")) return { interpreters: [found] };
  // Linux passes the rest of the line as one argument; only env -S splits it.
  const program = words[0]?.startsWith("-")
    ? words.find((word) => !word.startsWith("-") && !word.includes("="))
    : words.join(" ");
  if (!program) return { interpreters: [found] };
  const second = find(program);
  if (second === undefined) return { missing: `${interpreter} ${program}`, interpreters: [] };
  return { interpreters: [found, second] };
}

function readStart(path: string, length: number): Buffer {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, readSync(fd, bytes, 0, length, 0));
  } finally {
    closeSync(fd);
  }
}

/** In a line that is no comment, and by more than the command that thaws. */
const mentionsFreeze = (text: string): boolean =>
  /^(?!\s*#).*\b(?:fs|xfs_)freeze\b(?!\s+(?:-u|--unfreeze)\b)/m.test(text);

/** Why an operator should check a file or folder that root is about to run; undefined when there is no reason. */
export function judgeAccess(stat: Stats): string | undefined {
  if ((stat.mode & 0o022) !== 0) return `others than its owner can write it (mode ${octal(stat)})`;
  if (isStrangers(stat)) {
    return `it belongs to user ${stat.uid}, neither root nor the running user`;
  }
  return undefined;
}

/** What a run says of them, in one line; undefined when there is nothing to say. `sources` are what it backs up. */
export function hookWarning(
  hooksDir: string,
  hooks: readonly Hook[],
  sources: readonly string[],
): string | undefined {
  let caution: string | undefined;
  try {
    if (silent.size > 0) demandAnswer(hooksDir);
    const stat = statSync(hooksDir, { throwIfNoEntry: false });
    caution = stat && judgeAccess(stat);
  } catch {
    // What cannot be examined stands in the place of its hooks (see discoverHooks), with the reason.
  }
  const [first, ...more] = [
    ...(caution === undefined ? [] : [`HOOKS_DIR=${hooksDir}: ${caution}`]),
    ...hookExposures(hooksDir, hooks, sources).map(({ said }) => said),
  ];
  if (first === undefined) return undefined;
  const effect = `${first.startsWith("HOOKS_DIR=") ? "Its hooks run" : "It runs"} all the same.`;
  return `${first}. ${effect}${more.length === 0 ? "" : ` doctor --hooks names ${more.length} more.`}`;
}

/** A way for somebody else than root and the running user to have code of theirs run. */
export interface Exposure {
  /** The beginning of a sentence. */
  readonly said: string;
  readonly remedy: string;
}

/** What runs as root should belong to root. */
export const HARDEN = "Let it belong to root or to the running user, and nobody else write it.";

/**
 * Of HOOKS_DIR, what leads to it and to the hooks, and their interpreters. `sources` are what is backed up. `judged` are
 * folders in HOOKS_DIR of which the caller speaks itself. Asks lstat(2) and readlink(2) only.
 */
export function hookExposures(
  hooksDir: string,
  hooks: readonly Hook[],
  sources: readonly string[],
  judged: readonly string[] = [],
): Exposure[] {
  const seen = new Set<string>();
  const { real, exposures } = lookAlong(`HOOKS_DIR=${hooksDir}`, hooksDir, { seen, isEndJudged: false });
  for (const name of judged) seen.add(`${real}/${name}`);
  return [
    ...exposures,
    ...insideSource(`HOOKS_DIR=${hooksDir}`, [hooksDir, real], sources),
    ...hooks.flatMap(({ shown, path, interpreters = [] }) => [
      ...lookAlong(shown, path, { seen, isEndJudged: false }).exposures,
      ...interpreters.flatMap((each) => lookAlong(`${shown} is run by ${each}`, each, { seen }).exposures),
    ]),
  ];
}

/** Of a file whose lines are run, such as a job file of replicate: its own access, what leads to it, and the sources. */
export function fileExposures(path: string, sources: readonly string[]): Exposure[] {
  const { real, exposures } = lookAlong(path, path, { seen: new Set() });
  return [...exposures, ...insideSource(path, [path, real], sources)];
}

interface Look {
  /** Places that were judged before. */
  readonly seen: Set<string>;
  /** Is what stands at the end judged too? Default: true. */
  readonly isEndJudged?: boolean;
}

/** As many as Linux follows (path_resolution(7)). */
const LINKS_MOST = 40;

/** Follows a path as the kernel does, and judges each folder and link on it. Ends where there is nothing, or no access. */
function lookAlong(what: string, path: string, { seen, isEndJudged = true }: Look) {
  const exposures: Exposure[] = [];
  const parts = (text: string) => text.split("/").filter((part) => part !== "" && part !== ".");
  const judge = (at: string, why: string | undefined, isEnd: boolean) => {
    if (seen.has(at)) return;
    seen.add(at);
    if (why === undefined || (isEnd && !isEndJudged)) return;
    const where = isEnd && at === path ? "it" : isEnd ? at : `${at}, on the way to it,`;
    exposures.push({ said: `${what}: ${where} is not safe: ${why}`, remedy: HARDEN });
  };
  let real = "";
  let rest = parts(path.startsWith("/") ? path : `${process.cwd()}/${path}`);
  try {
    judge("/", exposure(lstatSync("/"), false), false);
    for (let links = 0; rest.length > 0 && links <= LINKS_MOST; ) {
      const [name = "", ...others] = rest;
      rest = others;
      if (name === "..") {
        real = real.slice(0, real.lastIndexOf("/"));
        continue;
      }
      const at = `${real}/${name}`;
      if (silent.size > 0) demandAnswer(at);
      const stat = lstatSync(at);
      if (stat.isSymbolicLink()) {
        links++;
        judge(at, isStrangers(stat) ? `it is a link of user ${stat.uid}` : undefined, false);
        const target = readlinkSync(at);
        if (target.startsWith("/")) real = "";
        rest = [...parts(target), ...rest];
        continue;
      }
      real = at;
      const isEnd = rest.length === 0;
      judge(at, exposure(stat, isEnd), isEnd);
    }
  } catch {
    // What is not there, or cannot be searched, has a verdict of its own.
  }
  return { real, exposures };
}

/** By the names of both: a source may be a dead mount, which would not answer. All of a machine can only be backed up from "/". */
function insideSource(what: string, paths: readonly string[], sources: readonly string[]): Exposure[] {
  const source = sources
    .map((each) => each.replace(/\/+$/, ""))
    .find((each) => each !== "" && paths.some((path) => path === each || path.startsWith(`${each}/`)));
  if (source === undefined) return [];
  const said = `${what} lies in the source ${source}, where who writes data, or restores it, changes what is run`;
  return [{ said, remedy: "Move it out of there." }];
}

/** Who else could change what stands in this folder, or this file; undefined for nobody. Pure. */
export function exposure(stat: Stats, isEnd: boolean): string | undefined {
  const { mode, gid } = stat;
  if (isStrangers(stat)) return `it belongs to user ${stat.uid}`;
  // In a sticky folder others touch only their own, but add what they like.
  if ((mode & 0o1000) !== 0 && !isEnd) return undefined;
  if ((mode & 0o002) !== 0) return `everybody can write it (mode ${octal(stat)})`;
  const byGroup = (mode & 0o020) !== 0 && gid !== 0 && gid !== process.getegid?.();
  return byGroup ? `group ${gid} can write it (mode ${octal(stat)})` : undefined;
}

const isStrangers = ({ uid }: Stats): boolean => uid !== 0 && uid !== process.geteuid?.();

export const octal = (stat: Stats): string => (stat.mode & 0o7777).toString(8).padStart(4, "0");

function allows(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    // EACCES, which is the answer.
    return false;
  }
}

/** What to do where a file or its folder cannot be examined, by the errno that says so. */
function examinationRemedy(code: string | undefined): string {
  switch (code) {
    case "EACCES":
      return "Make its folder, and the folders above it, searchable for the running user (chmod a+x).";
    case "ELOOP":
      return "A link on the way to it leads back to itself: remove that link.";
    case "ENOTDIR":
    case "ENAMETOOLONG":
      return "Set HOOKS_DIR to a folder.";
    case "EMFILE":
    case "ENFILE":
    case "ENOMEM":
      return "The next run tries again.";
    default:
      return "Is its file system still mounted, and does its server answer?";
  }
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  } catch {
    // Not there, or its folder is what cannot be searched.
    return false;
  }
}

function describeIrregular(stat: Stats): string {
  if (stat.isDirectory()) return "a directory";
  if (stat.isSocket()) return "a socket";
  if (stat.isFIFO()) return "a named pipe";
  return "a device";
}
