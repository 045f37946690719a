/**
 * Finds the hooks of a phase and determines whether each can run. doctor and a run's log use the same words, which
 * users know from earlier versions of doctor.
 */

import {
  accessSync,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
  statSync,
} from "node:fs";
import { errnoOf, reasonOf } from "../errors.ts";
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
    stat = statSync(path);
  } catch (error) {
    const code = errnoOf(error);
    const isOfLink = isLink(path);
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
  const { freezes } = interpreted;
  return {
    ...hook,
    state: interpreted.state,
    command: interpreted.command,
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
    return { state: "executable (no #! line: /bin/sh)", command: ["/bin/sh", path] };
  }
  const line = head.slice(2).split("\n")[0] ?? "";
  if (line.endsWith("\r")) {
    return { problem: "CRLF line endings", remedy: `Run: sed -i 's/\\r$//' ${path}.` };
  }
  const [interpreter = "", ...rest] = line.trim().split(/[ \t]+/);
  const missing = missingProgram(interpreter, rest, searchPath);
  if (missing !== undefined) {
    return {
      problem: `${missing}: not in this image`,
      remedy: "Install it in the image, or write the hook for #!/bin/sh.",
    };
  }
  return { state: "executable", command: [path] };
}

/** The interpreter if it is missing, with its argument where env(1) has to find that; undefined when all is there. */
function missingProgram(interpreter: string, words: readonly string[], searchPath: string | undefined) {
  const runnable = (program: string) => {
    try {
      resolveProgram(program, searchPath);
      return true;
    } catch {
      // CannotStart: it is not runnable.
      return false;
    }
  };
  if (!interpreter.startsWith("/") || !runnable(interpreter)) return interpreter || "an empty #! line";
  if (!interpreter.endsWith("/env")) return undefined;
  // Linux passes the rest of the line as one argument; only env -S splits it.
  const program = words[0]?.startsWith("-")
    ? words.find((word) => !word.startsWith("-") && !word.includes("="))
    : words.join(" ");
  return !program || runnable(program) ? undefined : `${interpreter} ${program}`;
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
  if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) {
    return `it belongs to user ${stat.uid}, neither root nor the running user`;
  }
  return undefined;
}

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
