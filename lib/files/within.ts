/**
 * Checks a path of the operator's within a bound: a dead network file system never answers, and a synchronous call
 * would hang with it. Three threads that hang are all that Bun has, so a mount that others serve is first asked by a
 * process of its own, which can be killed; what does not answer is remembered (see mounts.ts), and touched by nobody.
 */

import { constants, existsSync, promises, type Stats } from "node:fs";
import { environment } from "../environment.ts";
import { errnoOf, reasonOf } from "../errors.ts";
import { start } from "../runtime.ts";
import { isServed, noteAnswer, readMounts, SILENCE, wayOf } from "./mounts.ts";

/** A healthy file system answers within milliseconds. */
const ANSWER_MS = 3000;
/** Milliseconds for which an answer, or none, is taken to hold. */
const HOLDS_MS = 20_000;

export type Access = "read" | "write";

export type Accessed =
  | {
      readonly stat: Stats;
      readonly problem?: undefined;
      readonly isSilent?: undefined;
      readonly isMissing?: undefined;
    }
  /** Why it cannot be used, as a clause to follow "cannot be read: " and the like. */
  | {
      readonly stat?: undefined;
      readonly problem: string;
      readonly isSilent?: true;
      readonly isMissing?: true;
    };

/** stat(2) and access(2) within 3 s; nothing is opened, nothing is written. A folder must be searchable too. */
export async function accessWithin(path: string, wanted: Access): Promise<Accessed> {
  if (await isSilent(path)) return { problem: SILENCE, isSilent: true };
  return (await answered(access(path, wanted))) ?? { problem: SILENCE, isSilent: true };
}

async function access(path: string, wanted: Access): Promise<Accessed> {
  try {
    const stat = await promises.stat(path);
    const mode = wanted === "read" ? constants.R_OK : constants.W_OK;
    await promises.access(path, stat.isDirectory() ? mode | constants.X_OK : mode);
    return { stat };
  } catch (error) {
    return { problem: reasonOf(error), ...(errnoOf(error) === "ENOENT" ? { isMissing: true as const } : {}) };
  }
}

/** What `work` resolves to; undefined when it takes longer than 3 s. Rejects as it does. */
export async function answered<T>(work: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ANSWER_MS);
  });
  try {
    return await Promise.race([work, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** Those of `paths`, and with `below` of the mounts in them, that do not answer within 3 s. Asks all at once. */
export async function silentAmong(paths: readonly string[], below = false): Promise<string[]> {
  const served = readMounts().filter(isServed);
  if (served.length === 0) return [];
  const inside = below
    ? served.filter(({ at }) => paths.some((path) => isIn(at, path))).map(({ at }) => at)
    : [];
  const all = [...new Set([...paths, ...inside])];
  const answers = await Promise.all(all.map((path) => isSilent(path)));
  return all.filter((_, at) => answers[at]);
}

/**
 * Asks all mounts that our environment names a path in, before anything looks at one: whatever does not answer within 3 s is
 * known from then on.
 */
export async function askNamed(): Promise<void> {
  const words = Object.values(environment).flatMap((value) => value?.split(/[\s=;:,'"]+/) ?? []);
  await silentAmong([...DEFAULTS, ...words.filter((word) => word.startsWith("/"))]);
}

/** Folders that are looked into although nothing names them. */
const DEFAULTS = ["/hooks", "/data", "/restore", "/fusemount", "/var/log", "/var/run"];

const isIn = (at: string, path: string) => at.startsWith(path.endsWith("/") ? path : `${path}/`);

/** By the mount point: what came of the first path in it that was asked for. */
const asked = new Map<string, { readonly untilMs: number; readonly isSilent: Promise<boolean> }>();

/** Does a mount on the way to `path` not answer within 3 s? Asks nothing where others serve none. */
export async function isSilent(path: string): Promise<boolean> {
  const points = new Set(
    readMounts()
      .filter(isServed)
      .map(({ at }) => at),
  );
  if (points.size === 0) return false;
  const way = wayOf(path, (at) => points.has(at));
  if (way.end === undefined) return false;
  const known = asked.get(way.end);
  if (known !== undefined && known.untilMs > performance.now()) return known.isSilent;
  const answer = ask(way.path, way.end);
  asked.set(way.end, { untilMs: performance.now() + HOLDS_MS, isSilent: answer });
  return answer;
}

async function ask(path: string, at: string): Promise<boolean> {
  const hasAnswered = await answers(path);
  noteAnswer(at, hasAnswered);
  return !hasAnswered;
}

const STATS = ["/usr/bin/stat", "/bin/stat"];

/** statfs(2) is answered by the server, never out of a cache; an error is an answer, too. */
async function answers(path: string): Promise<boolean> {
  const program = STATS.find((each) => existsSync(each));
  if (program === undefined) {
    const asking = promises.statfs(path).then(
      () => true,
      () => true,
    );
    return (await answered(asking)) ?? false;
  }
  const { PATH } = environment;
  const child = start([program, "-f", "--", path], {
    argv0: "stat",
    env: { PATH },
    stdio: ["ignore", "ignore", "ignore"],
    cwd: "/",
    detached: true,
  });
  if ((await answered(child.exited)) !== undefined) return true;
  try {
    process.kill(child.pid, "SIGKILL");
  } catch {
    // It has ended this very moment.
  }
  return false;
}
