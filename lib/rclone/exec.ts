/** Calls rclone within a run: its environment, its words in the log, its statistics. One for each row. */

import type { ChildEnvironment } from "../process/spawn.ts";
import type { Run } from "../run/run.ts";
import { transferArgs } from "./args.ts";
import { parseLine, type Stats } from "./messages.ts";
import { type Complaint, complaintOf } from "./outcome.ts";
import type { Mode } from "./rows.ts";

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
