/**
 * What restic's exit codes and words mean, the same for every version of restic. Pure.
 *
 * What it is to call restic within a run: the types, for those whom the caller itself needs.
 */

import type { ChildEnvironment } from "../environment.ts";
import type { TakeBytes } from "../run/run.ts";
import type { Message } from "./messages.ts";

/** restic's exit codes since 0.17 (restic's manual, "Scripting"). */
export const RESTIC = {
  failed: 1,
  incomplete: 3,
  noRepository: 10,
  locked: 11,
  wrongPassword: 12,
  interrupted: 130,
  /** 128 plus SIGKILL: not restic's own, but how the kernel ends what uses too much memory. */
  killed: 137,
} as const;

/** The rows of EXIT STATUS that every command has which opens the repository. */
export const REPOSITORY_EXITS = [
  ["10", "there is no repository"],
  ["11", "the repository is locked"],
  ["12", "the password is wrong"],
] as const;

/** Words by which restic before 0.17, which exits with 1 for all of these, says which it was. */
const OLD_WORDS: readonly (readonly [RegExp, number])[] = [
  [/wrong password or no key found/i, RESTIC.wrongPassword],
  [/unable to create lock in backend|repository is already locked/i, RESTIC.locked],
  // "unable to open config file" alone is said of a dead network too, and then nobody may create a repository.
  [
    /repository does not exist|unable to open config file: .*(no such file|(not|n't) exist|not ?found|\b404\b)/i,
    RESTIC.noRepository,
  ],
];

/** The code that a line of restic's stderr stands for; undefined for an ordinary line. */
export function codeOfWords(line: string): number | undefined {
  return OLD_WORDS.find(([words]) => words.test(line))?.[1];
}

/** The exit code as restic since 0.17 would have given it. `told` is what its stderr stood for. */
export function normalizeExit(code: number, told: number | undefined): number {
  return code === RESTIC.failed && told !== undefined ? told : code;
}

/** What an exit code means and what to do, for the log; undefined where restic's own words must do. */
export function explain(code: number, repository: string): string | undefined {
  switch (code) {
    case RESTIC.noRepository:
      return `There is no repository at ${repository}. Create it with init-repo, or correct RESTIC_REPOSITORY.`;
    case RESTIC.locked:
      return (
        `The repository ${repository} is locked by another restic. Wait for it to end; if it has died, ` +
        "run unlock to see the lock and remove it."
      );
    case RESTIC.wrongPassword:
      return `The password does not open the repository ${repository}. Correct RESTIC_PASSWORD or its _FILE.`;
    case RESTIC.killed:
      return "It was killed (SIGKILL): most likely the memory ran out. Give the container more of it.";
    default:
      return undefined;
  }
}

export interface ResticEnd {
  /** As restic since 0.17 gives it, or 128+n, 124 when we ended it. */
  readonly exitCode: number;
}

export interface ResticPlan {
  /** Is shown every JSON message; true means that it has dealt with it and nothing need be logged. */
  readonly onMessage?: (message: Message) => boolean;
  /** Takes the lines of stdout instead of the log. */
  readonly onLine?: (line: string) => void;
  /** Is shown every line of plain words; true means the same. */
  readonly onWords?: (line: string) => boolean;
  /** Takes stdout as it is: the bytes of a dump, or a JSON document of any length. */
  readonly onBytes?: TakeBytes;
  /** Added to the environment of this call; undefined takes a variable out. */
  readonly env?: ChildEnvironment;
}

export interface Caller {
  /** The repository, fit to be shown. */
  readonly shown: string;
  call(words: readonly string[], plan?: ResticPlan): Promise<ResticEnd>;
}
