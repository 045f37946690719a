/**
 * The arguments of `restic backup`: how they are put together, and what those of RESTIC_JOB_ARGS say about which paths
 * are read: the paths themselves, the lists of paths and of excludes, and whether file systems are crossed. Pure.
 */

export interface BackupWords {
  readonly tag: string;
  /** The host of the snapshot; undefined leaves it to restic. */
  readonly host: string | undefined;
  /** RESTIC_JOB_ARGS. */
  readonly jobArgs: readonly string[];
  /** What to back up in addition to what jobArgs names. */
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

/** Options that precede the command of every call: `--cacert FILE`. */
export function globalArgs(cacert: string | undefined): string[] {
  return cacert === undefined ? [] : ["--cacert", cacert];
}

/** Flags of `restic backup` that take the next argument as their value (restic's manual, 0.14 to 0.19). */
const TAKING = new Set(
  (
    "-e --exclude --exclude-file --exclude-if-present --exclude-larger-than --files-from --files-from-raw " +
    "--files-from-verbatim -g --group-by -H --host --iexclude --iexclude-file --parent --read-concurrency " +
    "--stdin-filename --tag --time --cacert --cache-dir --compression --http-user-agent --key-hint " +
    "--limit-download --limit-upload -o --option --pack-size --password-command -p --password-file -r --repo " +
    "--repository-file --retry-lock --stuck-request-timeout --tls-client-cert"
  ).split(" "),
);

/** The paths among the arguments: those that are neither a flag nor the value of one. */
export function pathsIn(words: readonly string[]): string[] {
  const paths: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") return [...paths, ...words.slice(at + 1)];
    if (!word.startsWith("-") || word === "-") paths.push(word);
    else if (TAKING.has(word)) at++;
  }
  return paths;
}

/** Does the backup stay on the file system of each source? */
export function staysOnOneFileSystem(words: readonly string[]): boolean {
  const cut = words.indexOf("--");
  const flags = cut < 0 ? words : words.slice(0, cut);
  return flags.some((word) => word === "--one-file-system" || /^-[fnqvx]*x[fnqvx]*$/.test(word));
}

export interface NamedFile {
  /** As given: `--files-from`. */
  readonly flag: string;
  readonly path: string;
}

const FLAGS = [
  "--files-from",
  "--files-from-verbatim",
  "--files-from-raw",
  "--exclude-file",
  "--iexclude-file",
];

/** The lists and exclude files, in order. `-` is standard input, not a file; arguments after `--` are paths. */
export function namedFiles(words: readonly string[]): NamedFile[] {
  const found: NamedFile[] = [];
  for (let at = 0; at < words.length && words[at] !== "--"; at++) {
    const [word = "", inline] = splitOnce(words[at] ?? "");
    if (!FLAGS.includes(word)) continue;
    const path = inline ?? words[++at];
    if (path !== undefined && path !== "-") found.push({ flag: word, path });
  }
  return found;
}

function splitOnce(word: string): [string, string?] {
  const equals = word.indexOf("=");
  return equals < 0 ? [word] : [word.slice(0, equals), word.slice(equals + 1)];
}
