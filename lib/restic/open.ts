/**
 * Before the work: can the repository be opened (`restic cat config`, which leaves neither a lock in it nor a cache on
 * this host), and which version of restic is on PATH?
 */

import type { Environment } from "../environment.ts";
import { type Answer, ask } from "../process/child.ts";
import { CannotStart } from "../process/spawn.ts";
import { Stop } from "../process/stop.ts";
import type { Run } from "../run/run.ts";
import { NO_REASON } from "../state/record.ts";
import {
  type Access,
  codeOfWords,
  explain,
  isFatal,
  isSshSilent,
  isTrace,
  normalizeExit,
  parseTrouble,
  RESTIC,
  saysNoBucket,
  saysSignal,
  type Trouble,
  wordsIn,
  worse,
} from "./messages.ts";

export type ProbeStatus =
  | "ok"
  | "missing"
  | "locked"
  | "wrong_password"
  | "unreachable"
  | "restic_missing"
  | "not_configured";

export interface ProbeResult {
  readonly status: ProbeStatus;
  /** restic's exit code; null when it was killed. */
  readonly code: number | null;
  /** The repository's id, where restic has reported it. */
  readonly id?: string;
  /** What is wrong and what to do; empty when the status is ok. */
  readonly message: string;
}

/** restic retries on a dead network for a quarter of an hour; an operator should learn sooner what is wrong. */
const PROBE_MS = 30_000;

/** Throws CannotStart. After a stop, the result says nothing. */
export async function probeRepository(access: Access, env: Environment, stop: Stop): Promise<ProbeResult> {
  return parseProbe(await askRepository(access, env, stop), access, PROBE_MS);
}

/** Why the repository cannot be opened, where restic names a cause that is known. Throws CannotStart. */
export const troubleOfProbe = async (
  access: Access,
  env: Environment,
  stop: Stop,
): Promise<Trouble | undefined> => worstOf(linesOf((await askRepository(access, env, stop)).stderr));

function askRepository(access: Access, env: Environment, stop: Stop): Promise<Answer> {
  const command = ["restic", ...access.words, "cat", "config", "--no-lock", "--no-cache"];
  return untilSshIsHeard(stop, () =>
    ask(command, { env: { ...env, ...access.env }, timeoutMs: PROBE_MS, stop, isEnough: saysNoBucket }),
  );
}

const linesOf = (text: string): string[] => text.split("\n").filter((line) => line.trim() !== "");

const worstOf = (lines: readonly string[]): Trouble | undefined =>
  lines.map(parseTrouble).reduce<Trouble | undefined>(worse, undefined);

/** How often restic is asked until it hands on what ssh said. */
const HEARINGS = 4;

/**
 * restic often ends before it has handed on the words of an ssh that gave up (0.18, 0.19), and they alone name the
 * cause: it is asked again then.
 */
export async function untilSshIsHeard(
  stop: Pick<Stop, "signal">,
  askIt: () => Promise<Answer>,
): Promise<Answer> {
  let answer = await askIt();
  for (let n = 1; n < HEARINGS && isSshSilent(answer.stderr) && stop.signal === undefined; n++)
    answer = await askIt();
  return answer;
}

/** What the answer of `restic cat config`, which was given `timeoutMs`, says about the repository. Pure. */
export function parseProbe(
  { code, cause, stdout, stderr }: Answer,
  { shown, passwordFrom }: Pick<Access, "shown" | "passwordFrom">,
  timeoutMs: number,
): ProbeResult {
  const words = linesOf(stderr);
  const trouble = worstOf(words);
  const reasons = words.filter((line) => !saysSignal(line) && !isTrace(line));
  // When we killed it, its last line only says so; its first says why it kept retrying.
  const last = cause === undefined ? (reasons.findLast(isFatal) ?? reasons.at(-1)) : reasons[0];
  const reason = trouble?.said ?? (last && wordsIn(last));
  const remedy = explain(RESTIC.failed, shown, { trouble });
  const told = reason === undefined ? NO_REASON : `restic said: ${reason}`;
  const said = remedy === undefined ? told : `${told.replace(/[.]?$/, ".")} ${remedy}`;
  if (cause !== undefined) {
    if (saysNoBucket(stderr)) {
      const message = explain(RESTIC.noRepository, shown) ?? "";
      return { status: "missing", code: RESTIC.noRepository, message };
    }
    const limit = `${timeoutMs / 1000} s`;
    const what = isSilence(words)
      ? `${shown} did not answer within ${limit}; restic was killed.`
      : `${shown} cannot be opened: restic still tried after ${limit} and was killed.`;
    return { status: "unreachable", code: null, message: `${what} ${said}` };
  }
  const saidCode = words.map(codeOfWords).findLast((each) => each !== undefined);
  const exit = normalizeExit(code, saidCode);
  const status = judgeExit(exit);
  const meaning =
    (exit === RESTIC.failed ? undefined : explain(exit, shown, { passwordFrom })) ??
    `${shown} cannot be opened (exit ${exit}). ${said}`;
  if (status !== "ok") return { status, code: exit, message: meaning };
  const id = repositoryIdIn(stdout);
  return { status, code: exit, message: "", ...(id === undefined ? {} : { id }) };
}

/** The id in what `restic cat config` prints; undefined where there is none. */
export const repositoryIdIn = (text: string): string | undefined =>
  /"id":\s*"([0-9a-f]{64})"/.exec(text)?.[1];

/** What is said of a repository whose id has changed. */
export const changedText = (shown: string, before: string, id: string): string =>
  `${shown} is another repository than before: its id is ${id.slice(0, 8)}, and was ${before.slice(0, 8)}. Older ` +
  "snapshots are not in this one. If nobody has replaced it on purpose, look whether the right disk is mounted there.";

/** What Go says of a network on which nobody answers. */
const NO_ANSWER =
  /dial (tcp|udp|unix)|timeout|timed out|no such host|no route to host|unreachable|refused|reset by peer|\bEOF\b|broken pipe|deadline exceeded/i;

/** Did nothing that restic heard come from the other side? */
const isSilence = (words: readonly string[]): boolean =>
  words.every(
    (line) => NO_ANSWER.test(line) || /signal|context canceled|retrying after [\w.]+$/.test(line.trim()),
  );

function judgeExit(exit: number): ProbeStatus {
  switch (exit) {
    case 0:
      return "ok";
    case RESTIC.noRepository:
      return "missing";
    case RESTIC.locked:
      return "locked";
    case RESTIC.wrongPassword:
      return "wrong_password";
    default:
      return "unreachable";
  }
}

/** The version of the restic on PATH, such as `0.18.0`; undefined when it prints none. Throws CannotStart. */
export async function resticVersion(run: Run): Promise<string | undefined> {
  let version: string | undefined;
  await run.child(["restic", "version"], {
    onStdout: (line) => {
      version ??= versionIn(line);
    },
  });
  return version;
}

/** A healthy restic prints its version within milliseconds. */
const VERSION_MS = 10_000;

/** The same outside of a run; undefined also where restic cannot be started, which has a check of its own. */
export async function askVersion(
  env: Environment,
  stop = new Stop(() => VERSION_MS),
): Promise<string | undefined> {
  try {
    return versionIn((await ask(["restic", "version"], { env, timeoutMs: VERSION_MS, stop })).stdout);
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    return undefined;
  }
}

const versionIn = (text: string): string | undefined => /^restic v?(\d+\.\d+(?:\.\d+)?)/m.exec(text)?.[1];

/** Is `version` the version `wanted` or later? Both are numbers separated by dots. Pure. */
export function isSince(version: string, wanted: string): boolean {
  const [have, need] = [version, wanted].map((each) => each.split(".").map(Number));
  for (const [at, number] of (need ?? []).entries()) {
    const other = have?.[at] ?? 0;
    if (other !== number) return other > number;
  }
  return true;
}
