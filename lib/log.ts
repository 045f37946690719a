/**
 * The log of a run: the same lines to stdout (crond appends it to cron.log) and to the run's own file.
 * A line is `2026-05-11 09:30:00 INFO  backup  message`; on a terminal with colour, never in a file.
 */

import { closeSync, openSync } from "node:fs";
import { type ConsolaInstance, createConsola } from "consola/core";
import { reasonOf } from "./errors.ts";
import type { Mask } from "./mask.ts";
import { isTerminal } from "./terminal.ts";
import { localZone, stamp } from "./time/format.ts";
import { visible } from "./visible.ts";
import { writeAll } from "./write.ts";

type Level = "INFO" | "WARN" | "ERROR";

const COLOUR: Readonly<Record<Level, string>> = { INFO: "", WARN: "\x1b[33m", ERROR: "\x1b[31m" };
const RESET = "\x1b[0m";
/** Removes what a progress bar has left on the terminal's current line. */
const CLEAR = "\r\x1b[K";

export interface OutputOptions {
  /** Does it go to the run's own file too? */
  readonly toFile?: boolean;
}

export class Log {
  /** Is stdout a terminal, where colour and a progress bar make sense? */
  readonly onTerminal = isTerminal(1);
  readonly colour = this.onTerminal && !process.env.NO_COLOR;
  private readonly consola: ConsolaInstance;
  private stdout: number | undefined = 1;
  private file: number | undefined;
  private bar = false;
  private lostSomething = false;

  constructor(
    private readonly source: string,
    private readonly mask: Mask,
  ) {
    this.consola = createConsola({
      throttle: 0,
      reporters: [
        { log: ({ type, args }) => this.write(levelOf(type), visible(args.join(" ")).split("\n")) },
      ],
    });
  }

  info(message: string): void {
    this.consola.info(this.mask(message));
  }

  warn(message: string): void {
    this.consola.warn(this.mask(message));
  }

  error(message: string): void {
    this.consola.error(this.mask(message));
  }

  /** Lines that a child printed, already masked and made visible, under the name of their source. */
  output(source: string, lines: readonly string[], { toFile = true }: OutputOptions = {}): void {
    if (lines.length === 0) return;
    this.write(
      "INFO",
      lines.map((line) => `${source} | ${line}`),
      toFile,
    );
  }

  /** A line that a child printed, as it is. */
  childLine(source: string, line: string): void {
    this.output(source, visible(this.mask(line)).split("\n"));
  }

  /** A quiet line: only in the run's own file. */
  note(message: string): void {
    this.toFile(this.render("INFO", [this.mask(message)], false));
  }

  /** Text on the last line of the terminal, replaced by the next call and by the next log line. */
  status(text: string): void {
    if (!this.onTerminal) return;
    this.toStdout(CLEAR + text);
    this.bar = true;
  }

  /**
   * Something in LOG_DIR cannot be written. Said once in a run: what else fails there fails for the same reason,
   * and an operator should read one line about a full disk, not five.
   */
  lost(what: string, error: unknown): void {
    if (this.lostSomething) return;
    this.lostSomething = true;
    this.warn(
      `${what} cannot be written: ${reasonOf(error)}. The run goes on; if more of its log, record or history ` +
        "cannot be written there, that is not said again.",
    );
  }

  /** Begins the run's own file anew. A failure is said once; the run goes on without the file. */
  openFile(path: string): void {
    try {
      this.file = openSync(path, "w", 0o644);
    } catch (error) {
      this.lost(`The run's log ${path}`, error);
    }
  }

  /** Is the run's own file being written? */
  get hasFile(): boolean {
    return this.file !== undefined;
  }

  closeFile(): void {
    if (this.file !== undefined) closeSync(this.file);
    this.file = undefined;
  }

  private write(level: Level, lines: readonly string[], toFile = true): void {
    const plain = this.render(level, lines, false);
    const cleared = this.bar ? CLEAR : "";
    this.bar = false;
    this.toStdout(cleared + (this.colour ? this.render(level, lines, true) : plain));
    if (toFile) this.toFile(plain);
  }

  private render(level: Level, lines: readonly string[], colour: boolean): string {
    const paint = colour ? COLOUR[level] : "";
    const head = `${stamp(Date.now(), localZone())} ${paint}${level.padEnd(5)}${paint && RESET} ${this.source}  `;
    let text = "";
    for (const line of lines) text += `${head}${line}\n`;
    return text;
  }

  private toStdout(text: string): void {
    if (this.stdout === undefined) return;
    const error = writeAll(this.stdout, text);
    if (error === undefined) return;
    // Nobody reads stdout any more, or its disk is full. The work matters more: the file still gets it all.
    this.stdout = undefined;
    this.toFile(this.render("WARN", [`stdout cannot be written any more: ${reasonOf(error)}.`], false));
  }

  private toFile(text: string): void {
    if (this.file === undefined) return;
    const error = writeAll(this.file, text);
    if (error === undefined) return;
    this.closeFile();
    this.lost("The rest of the run's log", error);
  }
}

function levelOf(type: string): Level {
  return type === "warn" ? "WARN" : type === "error" ? "ERROR" : "INFO";
}
