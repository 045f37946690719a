/** What rclone's exit codes and words mean. Pure. Checked with 1.60 and 1.75. */

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
