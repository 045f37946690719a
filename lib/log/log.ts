/**
 * The log of a run: the same lines to stdout (or, in a line of the crontab, to cron.log) and to the run's own file.
 * A line is `2026-05-11 09:30:00 INFO  backup  message`; on a terminal with colour, never in a file.
 */

import { closeSync, constants, ftruncateSync } from "node:fs";
import { type ConsolaInstance, createConsola } from "consola/core";
import { environment } from "../environment.ts";
import { reasonOf } from "../errors.ts";
import { isFileAt, isInTheWay, openOurs } from "../files/files.ts";
import type { Mask } from "../mask.ts";
import { formatBytes, plural, singleLine, visible, visibleLines } from "../text.ts";
import { localZone, stamp } from "../time/zone.ts";
import { isTerminal, prefixLines, Stdout, type StdoutEvents, writeAll } from "./stdout.ts";

type Level = "INFO" | "WARN" | "ERROR";

const COLOUR: Readonly<Record<Level, string>> = { INFO: "", WARN: "\x1b[33m", ERROR: "\x1b[31m" };
const RESET = "\x1b[0m";
/** Clears the terminal's current line, on which a progress bar may stand. */
const CLEAR = "\r\x1b[K";

/**
 * Bytes of what the work's children print that go into the run's own file: a hundred times what a large backup with many
 * unreadable files prints, and little enough for any LOG_DIR.
 */
const CHILDREN_MOST = 64 * 1024 * 1024;
/** The same for stdout, which is cron.log: more is a program that has gone mad, and would fill the disk. */
const CHILDREN_STDOUT_MOST = 1024 * 1024 * 1024;

const APPEND = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;

/**
 * Begins the last word of a job's command in the crontab, which names cron.log: the program itself appends its lines there,
 * and shows them on stdout where it cannot. By a redirection of the shell the job would not even start then.
 */
export const CRON_LOG_WORD = "--cron-log=";

/** The cron.log of this process; "" for none. main.ts takes the word out of those of the command. */
const CRON_LOG = process.argv.at(-1)?.startsWith(CRON_LOG_WORD)
  ? (process.argv.at(-1) ?? "").slice(CRON_LOG_WORD.length)
  : "";

/** Opens cron.log for append, and creates it where it is missing. Throws as openOurs. */
export const openCronLog = (path: string): number => openOurs(path, APPEND);

/** Bytes of log lines: for the run's own file, and for stdout. */
export interface Bytes {
  readonly file: number;
  readonly stdout: number;
}

/** Writes safe lines to each of the two places, as far as they fit there; returns what did. */
export type WriteLines = (source: string, lines: string, room: Bytes) => Written;

interface Written extends Bytes {
  /** Bytes of all of them. */
  readonly all: number;
}

const NONE: Bytes = { file: 0, stdout: 0 };

export class ChildLog {
  /** Bytes of log lines that were left out. */
  leftOut = NONE;

  constructor(
    private readonly writeLines: WriteLines,
    private room: Bytes,
  ) {}

  /** Whole lines that are safe. Returns where these are the first that did not fit. */
  write(source: string, lines: string): { readonly file: boolean; readonly stdout: boolean } {
    const before = this.leftOut;
    // After the first line that did not fit, none goes there any more, however short it is.
    const { file, stdout, all } = this.writeLines(source, lines, {
      file: before.file > 0 ? 0 : this.room.file,
      stdout: before.stdout > 0 ? 0 : this.room.stdout,
    });
    this.room = { file: this.room.file - file, stdout: this.room.stdout - stdout };
    this.leftOut = { file: before.file + all - file, stdout: before.stdout + all - stdout };
    return {
      file: before.file === 0 && this.leftOut.file > 0,
      stdout: before.stdout === 0 && this.leftOut.stdout > 0,
    };
  }
}

/** No lines of a child that are still to be written. */
const NOTHING = { source: "", lines: "" };

export class Log {
  /** Are the lines shown on a terminal, where colour and a progress bar make sense? */
  readonly onTerminal = CRON_LOG === "" && isTerminal(1);
  /** Keep what is neither a warning nor an error off stdout, as long as the run's own file takes it? */
  quiet = false;
  private readonly zone = localZone();
  readonly colour = this.onTerminal && !environment.NO_COLOR;
  private readonly consola: ConsolaInstance;
  private stdout: Stdout | undefined;
  /** What `stdout` writes to: cron.log, while that can be written. */
  private stdoutFd = 1;
  private file: number | undefined;
  private path = "";
  private bar = false;
  private lostSomething = false;
  private isGathering = false;
  private gathered = NOTHING;
  /** The time as lines show it, and the epoch second that it is good for. */
  private stamped = "";
  private stampedSecond = -1;

  constructor(
    private readonly source: string,
    readonly mask: Mask,
  ) {
    this.consola = createConsola({
      throttle: 0,
      reporters: [{ log: ({ type, args }) => this.write(levelOf(type), args.join(" ").split("\n")) }],
    });
    try {
      if (CRON_LOG !== "") this.stdoutFd = openCronLog(CRON_LOG);
      this.stdout = new Stdout(this.stdoutFd, this.events);
    } catch (error) {
      this.leaveCronLog(error);
    }
  }

  /** From here on the lines of this job go to stdout, which is the container's. */
  private leaveCronLog(error: unknown): void {
    this.stdoutFd = 1;
    this.stdout = new Stdout(1, this.events);
    this.warn(`${CRON_LOG} cannot be written: ${reasonOf(error)}. The lines of this job are on stdout only.`);
  }

  /** A message is one line: a newline stands in a name. So it does in the next two. */
  info(message: string): void {
    this.consola.info(singleLine(this.mask(message)));
  }

  warn(message: string): void {
    this.consola.warn(singleLine(this.mask(message)));
  }

  error(message: string): void {
    this.consola.error(singleLine(this.mask(message)));
  }

  /** An error of several lines, each of which is one of the log: a trace. */
  trace(text: string): void {
    this.consola.error(visible(this.mask(text)));
  }

  /** A way into the log for a child of its own; `room`: bytes that it may add. */
  child(room: Bytes): ChildLog {
    return new ChildLog(this.writeLines, room);
  }

  private readonly writeLines: WriteLines = (source, lines, room) => {
    const head = `${this.head("INFO")}${source} | `;
    // What nobody gets is only counted: a hook that prints for ever must not cost more than that.
    if (room.file < 1 && room.stdout < 1) {
      const all = Buffer.byteLength(lines) + countLines(lines) * Buffer.byteLength(head);
      return { file: 0, stdout: this.keepsOffStdout ? all : 0, all };
    }
    const bytes = prefixLines(head, lines);
    const [file, stdout] = [fitting(bytes, room.file), fitting(bytes, room.stdout)];
    const shown = this.keepsOffStdout || stdout === 0 ? undefined : bytes.subarray(0, stdout);
    this.put(shown, bytes.subarray(0, file));
    // What a quiet log keeps off stdout is not left out there.
    return { file, stdout: this.keepsOffStdout ? bytes.length : stdout, all: bytes.length };
  };

  /** What all children of the work print. */
  private readonly work = this.child({ file: CHILDREN_MOST, stdout: CHILDREN_STDOUT_MOST });

  /** A line that a child of the work printed, as it is. */
  childLine(source: string, line: string): void {
    if (this.gathered.source !== source) this.flush();
    this.gathered = { source, lines: `${this.gathered.lines}${line}\n` };
    if (!this.isGathering) this.flush();
  }

  /**
   * Writes the lines that `action` passes to childLine with one write: one for each line would make the child wait for
   * us. The order with other log lines is kept.
   */
  gather(action: () => void): void {
    this.isGathering = true;
    try {
      action();
    } finally {
      this.isGathering = false;
      this.flush();
    }
  }

  private flush(): void {
    const { source, lines } = this.gathered;
    if (lines === "") return;
    this.gathered = NOTHING;
    const isFull = this.work.write(source, visibleLines(this.mask(lines)));
    const said = `${source} printed more than ${formatBytes(CHILDREN_MOST)}; the rest is on stdout only.`;
    if (isFull.file) this.toFile(this.render("WARN", [said], false));
    if (isFull.stdout)
      this.put(
        this.render(
          "WARN",
          [`${source} printed more than ${formatBytes(CHILDREN_STDOUT_MOST)}; the rest is left out.`],
          false,
        ),
      );
  }

  /** A quiet line: only in the run's own file. */
  note(message: string): void {
    this.flush();
    this.toFile(this.render("INFO", [singleLine(this.mask(message))], false));
  }

  /** Text for a person, on stdout only, as it is. */
  say(text: string): void {
    this.flush();
    this.put(text);
  }

  /** Text on the last line of the terminal, replaced by the next call and by the next log line. */
  status(text: string): void {
    if (!this.onTerminal || this.quiet) return;
    this.flush();
    this.put(this.bar ? text : CLEAR + text);
    this.bar = true;
  }

  /**
   * Warns that something in LOG_DIR cannot be written, once in a run: whatever else fails there fails for the same
   * reason, and an operator should read one line about a full disk, not five.
   */
  lost(what: string, error: unknown): void {
    if (this.lostSomething) return;
    this.lostSomething = true;
    const remedy = isInTheWay(error) ? " Remove it." : "";
    this.warn(
      `${what} cannot be written: ${reasonOf(error)}.${remedy} Nothing else changes by that; if more of its ` +
        "log, record or history cannot be written there, that is not said again.",
    );
  }

  /**
   * Empties the run's own file and opens it for append: a hook may write to it too (RBH_LOG), or truncate it. A failure
   * is logged, and the run goes on without the file. Returns whether there is one.
   */
  openFile(path: string): boolean {
    this.path = path;
    try {
      this.file = openOurs(path, APPEND);
      // Not by O_TRUNC: Deno refuses it together with O_APPEND.
      ftruncateSync(this.file, 0);
    } catch (error) {
      this.lost(`The run's log ${path}`, error);
    }
    return this.file !== undefined;
  }

  /** Is the run's own file being written? */
  get hasFile(): boolean {
    return this.file !== undefined;
  }

  /** Is the file at `path` the one that is shown to, as stdout or as cron.log? */
  isShownIn(path: string): boolean {
    return isFileAt(path, this.stdoutFd);
  }

  /** From here on what goes to stdout goes to this descriptor: the file behind stdout has been set aside. */
  divert(fd: number): void {
    this.stdout?.close();
    this.stdoutFd = fd;
    this.stdout = new Stdout(fd, this.events);
  }

  closeFile(): void {
    if (this.file !== undefined) closeSync(this.file);
    this.file = undefined;
  }

  /** Without a file of its own a quiet log speaks all the same. */
  private get keepsOffStdout(): boolean {
    return this.quiet && this.hasFile;
  }

  private write(level: Level, lines: readonly string[]): void {
    this.flush();
    const plain = this.render(level, lines, false);
    const shown = this.colour ? this.render(level, lines, true) : plain;
    this.put(level === "INFO" && this.keepsOffStdout ? undefined : shown, plain);
  }

  private render(level: Level, lines: readonly string[], colour: boolean): string {
    const head = this.head(level, colour);
    let text = "";
    for (const line of lines) text += `${head}${line}\n`;
    return text;
  }

  private head(level: Level, colour = false): string {
    const paint = colour ? COLOUR[level] : "";
    return `${this.now()} ${paint}${level.padEnd(5)}${paint && RESET} ${this.source}  `;
  }

  /** Formatted once a second: most lines come close together. */
  private now(): string {
    const nowMs = Date.now();
    const second = Math.floor(nowMs / 1000);
    if (second !== this.stampedSecond) {
      this.stampedSecond = second;
      this.stamped = stamp(nowMs, this.zone);
    }
    return this.stamped;
  }

  /** Writes to stdout what is to be shown there, and to the run's own file what is to be kept. */
  private put(shown: string | Uint8Array | undefined, kept?: string | Uint8Array): void {
    if (shown !== undefined && this.stdout !== undefined) {
      const cleared = this.bar ? this.stdout.write(CLEAR) : undefined;
      this.bar = false;
      const error = cleared ?? this.stdout.write(shown);
      if (error !== undefined) this.giveUpStdout(error, shown);
    }
    if (kept === undefined || this.file === undefined) return;
    const error = writeAll(this.file, kept);
    if (error !== undefined) this.giveUpFile(error);
  }

  private toFile(kept: string): void {
    this.put(undefined, kept);
  }

  /**
   * Nobody reads stdout any more, or its disk is full. The work matters more: the file still gets it all. Of cron.log the
   * container's stdout takes over.
   */
  private giveUpStdout(error: unknown, shown: string | Uint8Array): void {
    if (CRON_LOG !== "" && this.stdoutFd !== 1) {
      this.leaveCronLog(error);
      this.put(shown);
      return;
    }
    this.stdout = undefined;
    this.toFile(this.render("WARN", [`stdout cannot be written any more: ${reasonOf(error)}.`], false));
  }

  private giveUpFile(error: unknown): void {
    this.closeFile();
    this.lost("The rest of the run's log", error);
  }

  private readonly events: StdoutEvents = {
    stalled: (seconds) => {
      const said = `Nobody has read stdout for ${seconds} s: until somebody does, lines are left out there.`;
      this.toFile(this.render("WARN", [said], false));
    },
    gap: (lines) => {
      const where = this.path === "" ? "" : ` They are in ${this.path}.`;
      const said = `${plural(lines, "line")} left out here, because nobody read stdout in time.${where}`;
      return this.render("WARN", [said], false);
    },
  };
}

/** Bytes of the whole lines that fit in `room`. */
const fitting = (bytes: Buffer, room: number): number =>
  bytes.length <= room ? bytes.length : room < 1 ? 0 : bytes.lastIndexOf("\n", room - 1) + 1;

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

function levelOf(type: string): Level {
  return type === "warn" ? "WARN" : type === "error" ? "ERROR" : "INFO";
}
