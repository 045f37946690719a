/**
 * What restic's exit codes and error messages mean, for every version of restic alike; and the types of a call of
 * restic, which both lib/restic/restic.ts and what it imports need. Pure.
 */

import type { ChildEnvironment } from "../environment.ts";
import type { TakeBytes } from "../process/pump.ts";
import type { Message } from "./messages.ts";

/** restic's exit codes since 0.17 (restic's manual, "Scripting"). */
export const RESTIC = {
  failed: 1,
  incomplete: 3,
  noRepository: 10,
  locked: 11,
  wrongPassword: 12,
  interrupted: 130,
  /** 128 plus SIGKILL: not restic's own code; the kernel kills what uses too much memory. */
  killed: 137,
} as const;

/** The rows of EXIT STATUS for every command that opens the repository. */
export const REPOSITORY_EXITS = [
  ["10", "there is no repository"],
  ["11", "the repository is locked"],
  ["12", "the password is wrong"],
] as const;

/** Messages that tell these failures apart in restic before 0.17, which exits with 1 for all of them. */
const OLD_WORDS: readonly (readonly [RegExp, number])[] = [
  [/wrong password or no key found/i, RESTIC.wrongPassword],
  [/unable to create lock in backend|repository is already locked/i, RESTIC.locked],
  // "unable to open config file" alone is also printed on a dead network, where no repository must be created.
  [
    /repository does not exist|unable to open config file: .*(no such file|(not|n't) exist|not ?found|\b404\b)/i,
    RESTIC.noRepository,
  ],
];

/** The exit code that a line of restic's stderr stands for; undefined for any other line. */
export function codeOfWords(line: string): number | undefined {
  return OLD_WORDS.find(([words]) => words.test(line))?.[1];
}

/** The exit code that restic since 0.17 would have given. `told`: the code that its stderr stood for. */
export function normalizeExit(code: number, told: number | undefined): number {
  return code === RESTIC.failed && told !== undefined ? told : code;
}

/** What an exit code means and what to do about it; undefined where only restic's own messages say more. */
export function explain(code: number, repository: string): string | undefined {
  switch (code) {
    case RESTIC.noRepository:
      return `There is no repository at ${repository}. Create it with init-repo, or correct RESTIC_REPOSITORY.`;
    case RESTIC.locked:
      return (
        `The repository ${repository} is locked by another restic. Wait for it to finish; if it has died, ` +
        "run unlock to see the lock and remove it."
      );
    case RESTIC.wrongPassword:
      return `The password does not open the repository ${repository}. Correct RESTIC_PASSWORD or its _FILE.`;
    case RESTIC.killed:
      return "restic was killed (SIGKILL), most likely because memory ran out. Give the container more memory.";
    default:
      return undefined;
  }
}

export interface ResticEnd {
  /** As restic since 0.17 gives it; 128+n or 124 when we killed it. */
  readonly exitCode: number;
}

export interface ResticPlan {
  /** Called with every JSON message; returns true when it has handled it, and nothing is to be logged. */
  readonly onMessage?: (message: Message) => boolean;
  /** Receives the lines of stdout, which are then not logged. */
  readonly onLine?: (line: string) => void;
  /** Called with every line of plain text; returns true likewise. */
  readonly onWords?: (line: string) => boolean;
  /** Receives stdout as bytes: a dump, or a JSON document of any length. */
  readonly onBytes?: TakeBytes;
  /** Added to the environment of this call; undefined removes a variable. */
  readonly env?: ChildEnvironment;
}

export interface Caller {
  /** The repository, masked. */
  readonly shown: string;
  call(words: readonly string[], plan?: ResticPlan): Promise<ResticEnd>;
}
