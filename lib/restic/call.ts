/** What it is to call restic within a run: the types, for those whom the caller itself needs. */

import type { ChildEnvironment } from "../process/spawn.ts";
import type { TakeBytes } from "../run/run.ts";
import type { Message } from "./messages.ts";

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
