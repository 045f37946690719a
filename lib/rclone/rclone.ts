/**
 * Calls rclone within a run: its environment, its words in the log, its statistics. One for each row.
 *
 * What rclone's exit codes and words mean. Pure. Checked with 1.60 and 1.75.
 */

import type { ChildEnvironment } from "../environment.ts";
import type { Run } from "../run/run.ts";
import { transferArgs } from "./args.ts";
import type { Mode } from "./rows.ts";
import { parseLine, type Stats } from "./stats.ts";

export interface RcloneEnd extends Complaint {
  /** rclone's own, or 128+n when we ended it. */
  readonly exitCode: number;
}

export interface RclonePlan {
  readonly env?: ChildEnvironment;
  readonly onStdout?: (line: string) => void;
}

/** What all calls for one row have moved. null: rclone did not tell (before 1.61 it does not when bisync fails). */
export interface Totals {
  readonly files: number | null;
  readonly bytes: number | null;
  readonly deletes: number | null;
}

/** rclone renews its lock a minute before; two minutes is its least, and what its manual gives for cron. */
const LOCK_EXPIRES = "2m";

export class Rclone {
  private readonly counted: Stats[] = [];

  constructor(
    private readonly run: Run,
    /** Hides the row's credentials. */
    private readonly hide: (text: string) => string,
    /** Is shown how far a call has got. */
    private readonly onStats: (stats: Stats) => void,
  ) {}

  get totals(): Totals {
    const sum = (name: "transfers" | "bytes" | "deletes") =>
      this.counted.length === 0 ? null : this.counted.reduce((total, stats) => total + stats[name], 0);
    return { files: sum("transfers"), bytes: sum("bytes"), deletes: sum("deletes") };
  }

  /** Runs `rclone <mode> <from> <to>` to its end. Throws CannotStart. */
  transfer(
    mode: Mode,
    from: string,
    to: string,
    words: readonly string[],
    plan: RclonePlan = {},
  ): Promise<RcloneEnd> {
    const { log, settings } = this.run;
    // A bar moves once a second; a log has a line now and then.
    const interval = log.onTerminal ? 1 : settings.seconds("PROGRESS_INTERVAL");
    return this.call(transferArgs(mode, from, to, words, { interval }), plan);
  }

  /** Runs `rclone <words>` to its end. Its output is logged as it comes. Throws CannotStart. */
  async call(words: readonly string[], { env = {}, onStdout }: RclonePlan = {}): Promise<RcloneEnd> {
    let complaint: Complaint = {};
    let stats: Stats | undefined;
    const show = (line: string) => {
      const message = parseLine(line);
      if (message.stats !== undefined) {
        stats = message.stats;
        this.onStats(stats);
        return;
      }
      complaint = { ...complaint, ...complaintOf(message.text) };
      if (message.text !== "") this.run.log.childLine("rclone", this.hide(message.text));
    };
    const ended = await this.run.child(["rclone", ...words], {
      env: { ...this.environment(), ...env },
      onStdout: onStdout ?? show,
      onStderr: show,
    });
    if (stats !== undefined) this.counted.push(stats);
    return { ...complaint, exitCode: ended.code };
  }

  /**
   * A flag of rclone may be given as RCLONE_<FLAG> too, and a version that does not know the flag passes it over.
   * So a resync that we have not decided on is kept out, and a lock that a killed bisync left behind runs out.
   */
  private environment(): ChildEnvironment {
    const { settings } = this.run;
    const { env } = settings;
    return {
      RCLONE_CONFIG: settings.text("RCLONE_CONFIG"),
      // With an encrypted configuration and no password rclone would ask for one, and nobody is there.
      RCLONE_ASK_PASSWORD: env.RCLONE_ASK_PASSWORD || "false",
      RCLONE_RESYNC: undefined,
      RCLONE_RESYNC_MODE: undefined,
      RCLONE_MAX_LOCK: env.RCLONE_MAX_LOCK || LOCK_EXPIRES,
    };
  }
}

/** What rclone complained of, as far as it decides what happens next. */
export interface Complaint {
  /**
   * bisync has no listings of this pair: its first run, or one after a failure. Since 1.66 it says where it
   * looked, and then this is the path of the first listing.
   */
  readonly noListings?: true;
  readonly listing?: string;
  /** The marker of --check-access is missing: a side may not be mounted. */
  readonly noAccess?: true;
  /** The lock file that another bisync of this pair holds or has left behind. */
  readonly lockFile?: string;
}

/** What a message, in plain words, complains of; nothing of the kind in most. */
export function complaintOf(text: string): Complaint {
  if (/cannot find prior Path1 or Path2 listings/.test(text)) {
    const listing = /^Path1: (.+)$/m.exec(text)?.[1];
    return { noListings: true, ...(listing === undefined ? {} : { listing }) };
  }
  if (/\bAccess test failed\b|check file check failed/.test(text)) return { noAccess: true };
  const lockFile = /prior lock file found: (.+?) *$/m.exec(text)?.[1];
  return lockFile === undefined ? {} : { lockFile };
}

/** rclone's exit codes (its manual, "Exit code"). bisync before 1.66 says 2 for what is 7 since. */
const MEANINGS: Readonly<Record<number, string>> = {
  3: "the folder was not found",
  4: "a file was not found",
  5: "a passing error; more retries might help",
  6: "errors that retrying does not mend",
  7: "an error that retrying cannot mend",
  8: "the limit of --max-transfer was reached",
  9: "nothing was transferred, which --error-on-no-transfer calls an error",
  10: "the limit of --max-duration was reached",
};

/** ` (exit 3: the folder was not found)` without the blank; the number alone where it says no more. */
export function exitText(code: number): string {
  const meaning = MEANINGS[code];
  return meaning === undefined ? `(exit ${code})` : `(exit ${code}: ${meaning})`;
}
