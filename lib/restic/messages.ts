/**
 * What restic says, in every version of it alike: its exit codes, the JSON lines that it prints as far as this program
 * uses them, and its error messages; and the types of a call of restic, which lib/restic/restic.ts and what it imports
 * both need. Pure. Checked with 0.14, 0.18 and 0.19.
 */

import type { ChildEnvironment } from "../environment.ts";
import type { TakeBytes } from "../process/pump.ts";

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

/**
 * The bucket, or the container, that is to hold the repository is not there: `restic init` makes it. What S3, Azure,
 * Google, B2 and Swift say; restic since 0.17 goes on asking for a quarter of an hour after it.
 */
const NO_BUCKET =
  /\bNoSuchBucket\b|\bContainerNotFound\b|\b(bucket|container)( \S+)? (does not exist|doesn't exist|not found)/i;

/** Does a text of restic say that there is no bucket for the repository? */
export const saysNoBucket = (text: string): boolean => NO_BUCKET.test(text);

/** Messages that tell these failures apart in restic before 0.17, which exits with 1 for all of them. */
const OLD_WORDS: readonly (readonly [RegExp, number])[] = [
  [NO_BUCKET, RESTIC.noRepository],
  [/wrong password or no key found/i, RESTIC.wrongPassword],
  // "unable to create lock in backend" alone is said of a full disk, a permission and a dead network as well.
  [/(^|Fatal: |"message":")unable to create lock in backend: repository is already locked/, RESTIC.locked],
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

/**
 * Why restic may not write its lock, in its own words, where the repository can be read all the same: a read-only file
 * system, a missing permission, no room. undefined for any other line. On a read-only file system restic tries for a
 * quarter of an hour, and this is the first that it says (0.14, 0.18, 0.19).
 */
export function refusedLock(line: string): string | undefined {
  if (
    !/^(Save\(<lock\/|(Fatal: )?unable to create lock in backend: |\{"message_type":"exit_error")/.test(line)
  )
    return undefined;
  if (line.startsWith("{") && !line.includes("unable to create lock in backend")) return undefined;
  return /read-only file system|permission denied|operation not permitted|access ?denied|forbidden|no space left on device|quota exceeded/i.exec(
    line,
  )?.[0];
}

/** The exit code that restic since 0.17 would have given. `saidCode`: the code that its stderr stood for. */
export function normalizeExit(code: number, saidCode: number | undefined): number {
  return code === RESTIC.failed && saidCode !== undefined ? saidCode : code;
}

/** Who has the repository's lock, as restic names it when it finds one. */
export interface LockOwner {
  readonly pid: number;
  readonly hostname: string;
}

/** The owner of the lock that is in the way, in a line of restic's; undefined for any other line. */
export function lockOwner(line: string): LockOwner | undefined {
  const found = /repository is already locked (?:exclusively )?by PID (\d+) on (\S+)/.exec(line);
  return found === null ? undefined : { pid: Number(found[1]), hostname: found[2] ?? "" };
}

/** Why restic could not work with the repository, beyond what its exit code says. */
export interface Trouble {
  readonly kind: "full" | "unwritable" | "unreachable";
  /** restic's own words, on one line. */
  readonly said: string;
  /** The row of CAUSES. */
  readonly row: number;
}

/** Lines about the repository, not about a file that is backed up: those of its calls, of its locks, and the last one. */
const OF_REPOSITORY =
  /^Fatal:|"message_type":"exit_error"|unable to create lock in backend|(?:^|")(?:Save|Load|List|Stat|Remove|Open|Delete)\(|\/locks\/[0-9a-f]{64}|^(?:subprocess ssh|rclone):|^unable to open cache:|^Resolving password failed/;

interface Cause {
  readonly kind: Trouble["kind"];
  readonly words: RegExp;
  /** What it means and what to do about it. */
  readonly remedy: (repository: string) => string;
}

/**
 * Words of the kernel, of Go's net package, of ssh, rclone and the stores' answers, as restic hands them on. The first
 * row that fits a line of restic's is its cause; the more exact one comes first.
 */
const CAUSES: readonly Cause[] = [
  {
    kind: "full",
    words: /no space left on device|quota exceeded|insufficient storage|\b507\b/i,
    remedy: (repository) =>
      `There is no room left where restic writes (${repository}, or the path in its message). Make room there.`,
  },
  {
    kind: "unreachable",
    words: /resolving password failed|an empty password is not/i,
    remedy: () =>
      "restic got no password. Correct RESTIC_PASSWORD_COMMAND, or mount what RESTIC_PASSWORD_FILE names.",
  },
  {
    kind: "unreachable",
    words: /executable file not found/i,
    remedy: (repository) =>
      `The program that reaches ${repository} is missing (see restic's message). Install it, or correct RESTIC_REPOSITORY.`,
  },
  {
    kind: "unreachable",
    words: /host key verification failed|knownhosts: key/i,
    remedy: (repository) =>
      `ssh does not trust the host key of ${repository}. Compare it with the server's, and put it into known_hosts.`,
  },
  {
    kind: "unreachable",
    words: /didn't find section in config file/i,
    remedy: (repository) =>
      `rclone has no such remote for ${repository}. Correct RESTIC_REPOSITORY, or name the right file in RCLONE_CONFIG.`,
  },
  {
    kind: "unreachable",
    words: /unknown authority/i,
    remedy: (repository) =>
      `The certificate of ${repository} is signed by an authority that is not known here. Name its certificate in RESTIC_CACERT.`,
  },
  {
    kind: "unreachable",
    words: /certificate is (?:not )?valid for|doesn't contain any IP SANs|cannot validate certificate/i,
    remedy: (repository) =>
      `The certificate of ${repository} is not for the name by which it is called. Correct the address, or the certificate.`,
  },
  {
    kind: "unreachable",
    words: /server gave HTTP response to HTTPS client/i,
    remedy: (repository) =>
      `The server of ${repository} speaks http, not https. Write http:// into RESTIC_REPOSITORY, or give it a certificate.`,
  },
  {
    kind: "unreachable",
    words:
      /certificate has expired|difference between the request time|expired ?token|token (?:has |is )?expired/i,
    remedy: (repository) =>
      `A certificate or token for ${repository} has expired, or a clock is wrong. Renew it, or set the clock.`,
  },
  {
    kind: "unreachable",
    words:
      /\b401\b|unauthorized|InvalidAccessKeyId|SignatureDoesNotMatch|request signature we calculated|too many authentication failures|access key id you provided does not exist|permission denied \((?:publickey|password|keyboard)/i,
    remedy: (repository) =>
      `The server refuses the credentials for ${repository}. Correct the user, key or password.`,
  },
  {
    kind: "unwritable",
    words: /\b403\b|forbidden|access ?denied/i,
    remedy: (repository) =>
      `The repository ${repository} cannot be written: the server refuses it. Correct the credentials, or give them the ` +
      "right to write.",
  },
  {
    kind: "unreachable",
    words: /no such host|could not resolve|name or service not known|name resolution/i,
    remedy: (repository) =>
      `The repository ${repository} could not be reached: no name server knows its host. Correct the address, or see to DNS.`,
  },
  {
    kind: "unreachable",
    words: /connection refused/i,
    remedy: (repository) =>
      `The repository ${repository} could not be reached: nothing listens there. Start its service, or correct address ` +
      "and port.",
  },
  {
    kind: "unwritable",
    words: /unable to (?:open|create|locate) cache/i,
    remedy: () => "restic cannot make its cache. Set RESTIC_CACHE_DIR to a folder that can be written.",
  },
  {
    kind: "unreachable",
    words:
      /dial tcp|connection (?:reset|closed|timed out)|(?:network is|host is) unreachable|no route to host|i\/o timeout|TLS handshake|broken pipe|unexpected EOF|ssh command exited/i,
    remedy: (repository) =>
      `The repository ${repository} could not be reached. See to the network, the address and the service there.`,
  },
  {
    kind: "unwritable",
    words: /permission denied|operation not permitted|read-only file system|append-only/i,
    remedy: (repository) =>
      `The repository ${repository} cannot be written, or not read. Give this user the right to, or mount it writable.`,
  },
];

/** What a line of restic's stderr says of the repository's trouble; undefined for any other line. */
export function parseTrouble(line: string): Trouble | undefined {
  if (!OF_REPOSITORY.test(line)) return undefined;
  const row = CAUSES.findIndex(({ words }) => words.test(line));
  const cause = CAUSES[row];
  return cause && { kind: cause.kind, said: wordsIn(line), row };
}

/** The more exact of two troubles; the later one, where both are alike. */
export const worse = (before: Trouble | undefined, now: Trouble | undefined): Trouble | undefined =>
  now === undefined || (before !== undefined && before.row < now.row) ? before : now;

/** Is a line restic's last word on why it gives up? */
export const isFatal = (line: string): boolean => /^Fatal:|"message_type":"exit_error"/.test(line);

/** Does restic's last word only count the errors that stand before it? */
export const isCount = (line: string): boolean => /^Fatal: There (?:was|were) \d+ errors?/.test(line);

/** Does restic only tell that it was sent a signal, as we send it one? That is no cause. */
export const saysSignal = (line: string): boolean =>
  /signal (?:interrupt|terminated|hangup|killed)?\b.*received|context canceled/.test(line);

/** A line as text: the first line of the message of one in JSON, below which a stack trace may stand. */
export function wordsIn(line: string): string {
  const message = parseMessage(line);
  const text = (message && messageText(message)) ?? line;
  return oneLine(text.trim().split("\n", 1)[0] ?? "");
}

/** Does restic only tell that its ssh has gone, and not what that one said? */
export const isSshSilent = (text: string): boolean =>
  text.includes("unable to start the sftp session") && !text.includes("subprocess ssh:");

/** A line of one of Go's stack traces, which restic prints below some of its errors. */
export const isTrace = (line: string): boolean =>
  /^\t\S+\.(?:go|s):\d+(?: \+0x[0-9a-f]+)?$|^(?:github\.com|golang\.org|main|runtime|net\/http)[\w./*()-]*\.[\w.*()-]+$|^goroutine \d+ \[/.test(
    line,
  );

/** What is known of a failure beside its exit code. */
export interface Known {
  readonly trouble?: Trouble | undefined;
  /** Who has the lock: `our own prune (pid 1357)`. */
  readonly holder?: string | undefined;
  /** The variable that gives restic the password. */
  readonly passwordFrom?: string | undefined;
}

/** What an exit code means and what to do about it; undefined where only restic's own messages say more. */
export function explain(code: number, repository: string, known: Known = {}): string | undefined {
  switch (code) {
    case RESTIC.failed:
      return known.trouble && CAUSES[known.trouble.row]?.remedy(repository);
    case RESTIC.noRepository:
      return `There is no repository at ${repository}. Create it with init-repo, or correct RESTIC_REPOSITORY.`;
    case RESTIC.locked:
      return (
        `The repository ${repository} is locked by ${known.holder ?? "another restic"}. Wait for it to finish; if it ` +
        "has died, run unlock to see the lock and remove it."
      );
    case RESTIC.wrongPassword:
      return `The password does not open the repository ${repository}. ${correctPassword(known.passwordFrom)}`;
    case RESTIC.killed:
      return "restic was killed (SIGKILL), most likely because memory ran out. Give the container more memory.";
    default:
      return undefined;
  }
}

const correctPassword = (variable: string | undefined): string =>
  variable === "RESTIC_PASSWORD_COMMAND"
    ? "Correct what RESTIC_PASSWORD_COMMAND prints."
    : "Correct RESTIC_PASSWORD or its _FILE.";

export interface StatusMessage {
  readonly message_type: "status";
  /** 0 to 1. */
  readonly percent_done?: number;
  readonly seconds_elapsed?: number;
  readonly seconds_remaining?: number;
  readonly total_files?: number;
  readonly files_done?: number;
  readonly total_bytes?: number;
  readonly bytes_done?: number;
}

export interface BackupSummary {
  readonly message_type: "summary";
  readonly files_new?: number;
  readonly files_changed?: number;
  readonly files_unmodified?: number;
  readonly dirs_new?: number;
  readonly dirs_changed?: number;
  readonly dirs_unmodified?: number;
  readonly data_added?: number;
  /** Since 0.16. */
  readonly data_added_packed?: number;
  readonly total_files_processed?: number;
  readonly total_bytes_processed?: number;
  /** Abbreviated in 0.14, full since. */
  readonly snapshot_id?: string;
  /** Only in a dry run, whose snapshot_id (since 0.17) is one of no snapshot. */
  readonly dry_run?: boolean;
}

export interface ErrorMessage {
  readonly message_type: "error";
  /** A text since 0.17; before, Go's error as an object, of which `Err` is the errno. */
  readonly error?: { readonly message?: string; readonly Err?: unknown } | string;
  /** From check, which has no `error`. */
  readonly message?: string;
  readonly during?: string;
  readonly item?: string;
}

/** The last message of restic since 0.17. */
export interface ExitMessage {
  readonly message_type: "exit_error";
  readonly code?: number;
  readonly message?: string;
}

export interface VerboseMessage {
  readonly message_type: "verbose_status";
  readonly action?: string;
  readonly item?: string;
}

export type Message = StatusMessage | BackupSummary | ErrorMessage | ExitMessage | VerboseMessage;

/** The message on a line; undefined when the line is plain text, or other JSON. */
export function parseMessage(line: string): Message | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value = JSON.parse(line) as { message_type?: unknown };
    if (typeof value.message_type !== "string") return undefined;
    return Object.fromEntries(Object.entries(value).filter(([name, each]) => fits(name, each))) as never;
  } catch {
    // Not JSON after all: the caller shows the line as it is.
    return undefined;
  }
}

/** A field whose type is not the one that restic gives it is dropped: no message may make a backup fail. */
function fits(name: string, value: unknown): boolean {
  switch (name) {
    case "message_type":
    case "message":
    case "during":
    case "item":
    case "action":
      return typeof value === "string";
    case "snapshot_id":
      return typeof value === "string" && /^[0-9a-f]+$/.test(value);
    case "error":
      return typeof value === "string" || isGoError(value);
    case "broken_packs":
      return Array.isArray(value) && value.every((each) => typeof each === "string");
    case "dry_run":
    case "suggest_repair_index":
    case "suggest_prune":
      return typeof value === "boolean";
    default:
      return Number.isFinite(value);
  }
}

function isGoError(value: unknown): boolean {
  const words = (value as { message?: unknown } | null | undefined)?.message;
  return typeof value === "object" && value !== null && (words === undefined || typeof words === "string");
}

/** A message as text for the log; undefined for one that is not logged. */
export function messageText(message: Message): string | undefined {
  switch (message.message_type) {
    case "error":
      return errorText(message);
    case "exit_error":
      return message.message;
    case "verbose_status":
      return `${message.action ?? ""} ${message.item ?? ""}`.trim();
    default:
      return undefined;
  }
}

/** The errno values that reading a file can give, as strerror(3) words them (Linux, errno-base.h). */
const ERRNO: Readonly<Record<number, string>> = {
  1: "operation not permitted",
  2: "no such file or directory",
  5: "input/output error",
  13: "permission denied",
  40: "too many levels of symbolic links",
  116: "stale file handle",
};

/** `/data/x: permission denied`, on one line, from an error message of any version. */
export function errorText({ error, message = "", item }: ErrorMessage): string {
  const words = (errorWords(error) || message).trim();
  if (!item) return words || "an error without a message";
  // restic repeats the path up to two times before the reason.
  const at = words.lastIndexOf(item);
  const reason = (at < 0 ? words : words.slice(at + item.length)).replace(/^[:\s]+/, "");
  return oneLine(reason === "" ? item : `${item}: ${reason}`);
}

function errorWords(error: ErrorMessage["error"]): string {
  if (typeof error === "string") return error;
  if (error?.message !== undefined) return error.message;
  return typeof error?.Err === "number" ? (ERRNO[error.Err] ?? `errno ${error.Err}`) : "";
}

/** A file name may contain a newline; what follows it must not pass for a line of the log. */
export const oneLine = (text: string): string => text.replaceAll("\n", "\\n");

/** The source that restic reports as skipped because it does not exist; undefined for any other line. */
export function skippedSource(line: string): string | undefined {
  return /^(.+) does not exist, skipping$/.exec(line)?.[1];
}

/** How restic reaches the repository: what every call of it needs, within a run or outside of one. */
export interface Access {
  /** The repository, fit to be shown. */
  readonly shown: string;
  /** Words that go before those of every call. */
  readonly words: readonly string[];
  /** Added to the environment; undefined removes a variable. */
  readonly env: ChildEnvironment;
  /** The variable that gives restic the password. */
  readonly passwordFrom?: string | undefined;
}

export interface ResticEnd {
  /** As restic since 0.17 gives it; 128+n or 124 when we killed it. */
  readonly exitCode: number;
  /** What it last said of the repository's trouble, where it failed. */
  readonly trouble?: Trouble | undefined;
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
  /** Seconds that a locked repository is waited for (RESTIC_RETRY_LOCK); without them it is not. */
  readonly lockWait?: number;
}

export interface Caller {
  /** The repository, masked. */
  readonly shown: string;
  call(words: readonly string[], plan?: ResticPlan): Promise<ResticEnd>;
}
