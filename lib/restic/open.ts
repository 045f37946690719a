/**
 * Whether a repository can be opened, from a call of `restic cat config`. Pure.
 *
 * Asks whether there is a repository, leaving neither a lock in it nor a cache on this host.
 *
 * Which restic it is.
 */

import type { Environment } from "../environment.ts";
import { type Answer, ask } from "../process/child.ts";
import type { Stop } from "../process/stop.ts";
import type { Run } from "../run/run.ts";
import type { Access } from "./access.ts";
import { codeOfWords, explain, normalizeExit, RESTIC } from "./outcome.ts";

export type ProbeStatus =
  | "ok"
  | "missing"
  | "locked"
  | "wrong_password"
  | "unreachable"
  | "restic_missing"
  | "not_configured";

export interface Verdict {
  readonly status: ProbeStatus;
  readonly code: number | null;
  readonly message: string;
}

/** What the end of `restic cat config`, which had `timeoutMs`, says of the repository. */
export function verdictOf({ code, cause, stderr }: Answer, shown: string, timeoutMs: number): Verdict {
  const words = stderr.split("\n").filter((line) => line.trim() !== "");
  // What it said last, ended by us, is that it was ended; what it said first is why it went on trying.
  const last = cause === undefined ? (words.findLast(isFatal) ?? words.at(-1)) : words[0];
  const said = last === undefined ? "restic gave no reason." : `restic said: ${last.trim()}`;
  if (cause !== undefined) {
    const message = `${shown} did not answer within ${timeoutMs / 1000} s; restic was ended. ${said}`;
    return { status: "unreachable", code: null, message };
  }
  const told = words.map(codeOfWords).findLast((each) => each !== undefined);
  const exit = normalizeExit(code, told);
  const status = statusOf(exit);
  const meaning = explain(exit, shown) ?? `${shown} cannot be opened (exit ${exit}). ${said}`;
  return { status, code: exit, message: status === "ok" ? "" : meaning };
}

const isFatal = (line: string): boolean => line.startsWith("Fatal:");

function statusOf(exit: number): ProbeStatus {
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

/** restic tries a dead network for a quarter of an hour; who waits for an answer must learn sooner what is wrong. */
const PROBE_MS = 30_000;

/** Throws CannotStart. When a stop ended it, the verdict says nothing. */
export async function probeRepository(access: Access, env: Environment, stop: Stop): Promise<Verdict> {
  const command = ["restic", ...access.words, "cat", "config", "--no-lock", "--no-cache"];
  const answer = await ask(command, { env: { ...env, ...access.env }, timeoutMs: PROBE_MS, stop });
  return verdictOf(answer, access.shown, PROBE_MS);
}

/** The version of the restic on PATH, such as `0.18.0`; undefined when it tells none. Throws CannotStart. */
export async function resticVersion(run: Run): Promise<string | undefined> {
  let version: string | undefined;
  await run.child(["restic", "version"], {
    onStdout: (line) => {
      version ??= /^restic v?(\d+\.\d+(?:\.\d+)?)/.exec(line)?.[1];
    },
  });
  return version;
}

/** Is `version` the version `wanted` or a later one? Both are numbers with dots between them. */
export function isSince(version: string, wanted: string): boolean {
  const [have, need] = [version, wanted].map((each) => each.split(".").map(Number));
  for (const [at, number] of (need ?? []).entries()) {
    const other = have?.[at] ?? 0;
    if (other !== number) return other > number;
  }
  return true;
}
