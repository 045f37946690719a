/**
 * Calls rclone within a run, for one row of the job file: its environment, its output in the log, its statistics, and
 * what its exit codes and messages mean. Checked with 1.60 and 1.75.
 */

import type { ChildEnvironment } from "../environment.ts";
import type { Run } from "../run/run.ts";
import { hiddenFromRclone } from "../secrets.ts";
import { transferArgs } from "./args.ts";
import type { Mode } from "./rows.ts";
import { parseLine, type Stats } from "./stats.ts";

export interface RcloneEnd extends Complaint {
  /** rclone's own, or 128+n when we killed it. */
  readonly exitCode: number;
  /** Its line that names the cause, else its last complaint; the row's credentials are hidden. */
  readonly said?: string;
}

export interface RclonePlan {
  readonly env?: ChildEnvironment;
  readonly onStdout?: (line: string) => void;
  /** It is only asked something: what it says is not logged, and what it moved is not counted. */
  readonly isQuestion?: true;
}

/** What all calls for one row moved. null: rclone did not report it (before 1.61, when bisync fails). */
export interface Totals {
  readonly files: number | null;
  readonly bytes: number | null;
  readonly deletes: number | null;
}

/** rclone renews its lock a minute before it expires; two minutes is its minimum, and its manual's value for cron. */
const LOCK_EXPIRES = "2m";

export class Rclone {
  private readonly counted: Stats[] = [];

  constructor(
    private readonly run: Run,
    /** Hides the row's credentials. */
    private readonly hide: (text: string) => string,
    /** Called with the progress of a call. */
    private readonly onStats: (stats: Stats) => void,
  ) {}

  get totals(): Totals {
    const sum = (name: "transfers" | "bytes" | "deletes") =>
      this.counted.length === 0 ? null : this.counted.reduce((total, stats) => total + stats[name], 0);
    return { files: sum("transfers"), bytes: sum("bytes"), deletes: sum("deletes") };
  }

  /** Runs `rclone <mode> <from> <to>` until it exits. Throws CannotStart. */
  transfer(
    mode: Mode,
    from: string,
    to: string,
    words: readonly string[],
    plan: RclonePlan = {},
  ): Promise<RcloneEnd> {
    const { log, settings } = this.run;
    // A terminal is updated every second, a log every PROGRESS_INTERVAL.
    const interval = log.onTerminal ? 1 : settings.seconds("PROGRESS_INTERVAL");
    return this.call(transferArgs(mode, from, to, words, { interval }), plan);
  }

  /** Runs `rclone <words>` until it exits, logging its output as it arrives. Throws CannotStart. */
  async call(
    words: readonly string[],
    { env = {}, onStdout, isQuestion }: RclonePlan = {},
  ): Promise<RcloneEnd> {
    let complaint: Complaint = {};
    let said: string | undefined;
    let stats: Stats | undefined;
    const show = (line: string) => {
      const message = parseLine(line);
      if (message.stats !== undefined) {
        if (isQuestion) return;
        stats = message.stats;
        this.onStats(stats);
        return;
      }
      complaint = { ...complaint, ...parseComplaint(message.text) };
      if (isComplaint(message.text)) said = betterWords(said, message.text);
      if (message.text !== "" && !isQuestion) this.run.log.childLine("rclone", this.hide(message.text));
    };
    const ended = await this.run.child(["rclone", ...words], {
      env: { ...this.environment(words), ...env },
      onStdout: onStdout ?? show,
      onStderr: show,
    });
    if (stats !== undefined) this.counted.push(stats);
    return { ...complaint, exitCode: ended.code, ...(said === undefined ? {} : { said: this.hide(said) }) };
  }

  /**
   * A flag of rclone may also be given as RCLONE_<FLAG>, which a version that does not know the flag ignores. This
   * keeps out a resync that we have not decided on, and lets the lock of a killed bisync expire. So are the secrets of
   * other programs.
   */
  private environment(words: readonly string[]): ChildEnvironment {
    const { settings } = this.run;
    const { env } = settings;
    const config = settings.text("RCLONE_CONFIG");
    return {
      ...hiddenFromRclone(this.run.context.env, config, words),
      RCLONE_CONFIG: config,
      // With an encrypted configuration and no password, rclone would prompt for one, and nobody could answer.
      RCLONE_ASK_PASSWORD: env.RCLONE_ASK_PASSWORD || "false",
      RCLONE_RESYNC: undefined,
      RCLONE_RESYNC_MODE: undefined,
      RCLONE_MAX_LOCK: env.RCLONE_MAX_LOCK || LOCK_EXPIRES,
    };
  }
}

/** What rclone complained about, as far as it decides what happens next. */
export interface Complaint {
  /**
   * bisync has no listings of this pair: it is its first run, or one after a failure. Since 1.66 rclone says where it
   * looked; `listing` is then the path of the first listing.
   */
  readonly noListings?: true;
  readonly listing?: string;
  /** The marker of --check-access is missing: a side may not be mounted. */
  readonly noAccess?: true;
  /** The lock file that another bisync of this pair holds or has left behind. */
  readonly lockFile?: string;
  /** bisync has listings that it cannot use: broken ones, or of another --filters-file. */
  readonly badListings?: true;
  /** bisync found that more was deleted or changed than it dares to repeat on the other side. */
  readonly tooMany?: true;
  /** bisync found nothing where its listing of the last success names files. */
  readonly emptySide?: "Path1" | "Path2";
  /** bisync of this version cannot work with a remote that keeps no times: this one. */
  readonly noTimes?: string;
  /** --max-delete was reached. */
  readonly maxDelete?: true;
}

/** What a message, in plain text, complains about; empty for most. */
export function parseComplaint(text: string): Complaint {
  if (/cannot find prior Path1 or Path2 listings/.test(text)) {
    const listing = /^Path1: (.+)$/m.exec(text)?.[1];
    return { noListings: true, ...(listing === undefined ? {} : { listing }) };
  }
  if (/\bAccess test failed\b|check file check failed/.test(text)) return { noAccess: true };
  if (/\bempty prior Path[12] listing|cannot read prior listing|Failed loading prior/i.test(text)) {
    return { badListings: true };
  }
  // A pair that is new says this first; so does one that was synchronized without filters.
  if (text.includes("filters file md5 hash not found")) return { noListings: true };
  if (text.includes("filters file has changed")) return { badListings: true };
  if (/\btoo many deletes\b|all files were changed/.test(text)) return { tooMany: true };
  const empty = /\bempty current (Path[12]) listing/i.exec(text)?.[1];
  if (empty !== undefined) return { emptySide: empty === "Path1" ? "Path1" : "Path2" };
  const noTimes = /modification time support is missing on (path[12])/i.exec(text)?.[1];
  if (noTimes !== undefined) return { noTimes };
  if (text.includes("--max-delete threshold reached")) return { maxDelete: true };
  const lockFile = /prior lock file found: (.+?) *$/m.exec(text)?.[1];
  return lockFile === undefined ? {} : { lockFile };
}

/** What rclone and what it stands on say, the more exact first, and what to do about it. */
const CAUSES: readonly (readonly [RegExp, string])[] = [
  [/no space left on device|quota ?exceeded|insufficient storage/i, "Make room there."],
  [
    /didn't find section in config file/i,
    "Correct the remote's name in the job file, or name the right file in RCLONE_CONFIG.",
  ],
  [
    /couldn't decrypt configuration|unable to decrypt config|configuration is encrypted/i,
    "Give the configuration's password in RCLONE_CONFIG_PASS.",
  ],
  [/host key verification failed|knownhosts: key/i, "Put the server's host key into known_hosts."],
  [/unknown authority/i, "Name the authority's certificate in RCLONE_CA_CERT."],
  [/certificate has expired|token (?:has |is )?expired|invalid_grant/i, "Renew it, or set the clock."],
  [
    /\b401\b|unauthorized|unable to authenticate|InvalidAccessKeyId|SignatureDoesNotMatch|\b403\b|forbidden|access ?denied/i,
    "Correct the remote's credentials, or give them the right to do this.",
  ],
  [/no such host|name or service not known/i, "Correct the remote's host, or see to DNS."],
  [/connection refused/i, "Start the service there, or correct the remote's address and port."],
  [
    /permission denied|operation not permitted|read-only file system/i,
    "Give this user the right to, or mount it writable.",
  ],
  [
    /dial tcp|i\/o timeout|no route to host|network is unreachable/i,
    "See to the network and the service there.",
  ],
  [/directory not found/i, "Mount or create it, or correct the row."],
];

const causeOf = (text: string): number => CAUSES.findIndex(([words]) => words.test(text));

/** Does a line of the log name a failure? Before 1.61 the last one has no level. */
const isComplaint = (text: string): boolean => /^(?:ERROR|CRITICAL): |^\d{4}\/.* Failed to /.test(text);

/** The line that names the more exact cause; the later one, where both are alike. */
function betterWords(before: string | undefined, now: string): string {
  if (before === undefined) return now;
  const [was, is] = [causeOf(before), causeOf(now)];
  return is < 0 || (was >= 0 && was < is) ? (was < 0 ? now : before) : now;
}

/** `rclone said: … Correct …`: why a call failed, in its own words, and the remedy that is known; "" for silence. */
export function explainWords(said: string | undefined): string {
  if (said === undefined) return "";
  const words = said
    .replace(/^(?:ERROR|CRITICAL): /, "")
    .replace(/\s+/g, " ")
    .replace(/\.$/, "");
  const remedy = CAUSES[causeOf(said)]?.[1];
  return `rclone said: ${words}.${remedy === undefined ? "" : ` ${remedy}`}`;
}

/** rclone's exit codes (its manual, "Exit code"). Before 1.66 bisync exits with 2 where it has exited with 7 since. */
const MEANINGS: Readonly<Record<number, string>> = {
  3: "the folder was not found",
  4: "a file was not found",
  5: "a temporary error; more retries might help",
  6: "errors that retrying does not fix",
  7: "a fatal error, which retrying cannot fix",
  8: "the limit of --max-transfer was reached",
  9: "nothing was transferred, which --error-on-no-transfer calls an error",
  10: "the limit of --max-duration was reached",
};

/** `(exit 3: the folder was not found)`; only the number where its meaning is not known. */
export function exitText(code: number): string {
  const meaning = MEANINGS[code];
  return meaning === undefined ? `(exit ${code})` : `(exit ${code}: ${meaning})`;
}
