/** Whether a repository can be opened, from a call of `restic cat config`. Pure. */

import type { Answer } from "../process/ask.ts";
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
