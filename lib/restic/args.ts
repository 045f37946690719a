/** The words of restic's command lines. Pure. */

export interface BackupWords {
  readonly tag: string;
  /** The host of the snapshot; undefined leaves it to restic. */
  readonly host: string | undefined;
  /** RESTIC_JOB_ARGS. */
  readonly jobArgs: readonly string[];
  /** What to back up, beside what jobArgs names. */
  readonly roots: readonly string[];
}

export function backupArgs({ tag, host, jobArgs, roots }: BackupWords): string[] {
  // After the operator's own `--` everything is a path already; a second one would be taken for a file.
  const dashes = roots.length === 0 || jobArgs.includes("--") ? [] : ["--"];
  return [
    "backup",
    "--json",
    "--tag",
    tag,
    ...(host ? ["--host", host] : []),
    ...jobArgs,
    ...dashes,
    ...roots,
  ];
}

/** Options that go before the words of every call: `--cacert FILE`. */
export function globalArgs(cacert: string | undefined): string[] {
  return cacert === undefined ? [] : ["--cacert", cacert];
}
