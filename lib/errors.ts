/**
 * The errors that this program expects, each with its exit code. A message is a complete sentence: what happened,
 * with which value, and what to do about it.
 */

/** Our own exit codes; those of restic and rclone are passed on. 70 and 75 are from sysexits.h. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  internal: 70,
  busy: 75,
  timedOut: 124,
  notExecutable: 126,
  notFound: 127,
  /** A person declined, as if by Ctrl-C. */
  cancelled: 130,
} as const;

/** An expected error that ends the command with this exit code. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly exitCode: number,
  ) {
    super(message);
    this.name = new.target.name;
  }
}

/** An invalid command line: reported on stderr with a hint at --help, exit 2, before anything is done. */
export class UsageError extends Failure {
  constructor(message: string) {
    super(message, EXIT.usage);
  }
}

/** An invalid variable or configuration file: exit 2, before any work. */
export class ConfigError extends Failure {
  constructor(message: string) {
    super(message, EXIT.usage);
  }
}

/** The errno name of a failed system call (`ENOENT`); undefined for an error of another kind. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

const WORDS: Readonly<Record<string, string>> = {
  E2BIG: "the environment and the arguments are too long",
  ETXTBSY: "another process is still writing it",
  EACCES: "permission denied",
  EBADF: "it is closed, or open for reading only",
  EEXIST: "it exists already",
  EFTYPE: "it is not a regular file",
  EFBIG: "the file would be larger than is allowed",
  EINTR: "interrupted by a signal",
  EIO: "input/output error",
  EISDIR: "it is a directory",
  ELOOP: "it is a symbolic link, or there is a loop of them",
  EMFILE: "too many open files; raise the limit (ulimit -n)",
  ENXIO: "it is not a regular file",
  ENFILE: "too many open files in the whole system",
  ENOENT: "no such file or directory",
  ENOMEM: "there is no memory left",
  ENOSPC: "no space left on the device",
  ENOTDIR: "a part of the path is not a directory",
  EPIPE: "no process reads it any more",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  ESTALE: "its file system was taken away behind the mount (a stale file handle)",
  EXDEV: "it is on another file system",
};

/** The reason of an error, in the words of strerror(3) where they help; for use inside a sentence. */
export function reasonOf(error: unknown): string {
  const code = errnoOf(error);
  if (code !== undefined) return WORDS[code] ?? code;
  return error instanceof Error ? error.message : String(error);
}

/** The message for an unexpected error. */
export function bugReport(error: unknown): string {
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `This is a bug in restic-backup-helper; please report it with these lines: ${trace}`;
}
