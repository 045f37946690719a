/**
 * Questions to a person at a terminal, a line each. consola's prompt would draw with escape codes, strip backticks
 * and underscores out of paths, and knows no `q`; the terminal itself edits a line well enough.
 */

import { read } from "node:fs";
import { errnoOf } from "../errors.ts";
import { isTerminal } from "../log/stdout.ts";
import { sleep } from "../process/stop.ts";
import { singleLine } from "../text.ts";
import type { Run } from "./run.ts";

/** An answer that cannot be used: what is said about it before the question comes again. */
export class Unusable {
  constructor(readonly complaint: string) {}
}

/** The person has had enough: `q`, the end of input, or a signal. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
}

/** Is there somebody to ask? */
export const canAsk = (): boolean => isTerminal(0) && isTerminal(1);

export class Prompt {
  private typed = "";

  constructor(private readonly run: Run) {}

  /** Lines for a person only, not for the log. A newline within one of them is part of a name. */
  say(lines: readonly string[]): void {
    this.run.log.say(`${lines.map((line) => this.safe(line)).join("\n")}\n`);
  }

  /** Asks until `understand` makes something of the answer. Throws Cancelled. */
  async ask<T>(
    question: string,
    understand: (answer: string) => T | Unusable | Promise<T | Unusable>,
  ): Promise<T> {
    for (;;) {
      this.run.log.say(`${this.safe(question)} `);
      const answer = (await this.line())?.trim();
      if (answer === undefined) this.run.log.say("\n");
      this.run.log.note(`${question} ${answer ?? "(no answer)"}`);
      if (answer === undefined || answer.toLowerCase() === "q") throw new Cancelled();
      const meaning = await understand(answer);
      if (!(meaning instanceof Unusable)) return meaning;
      this.say([meaning.complaint]);
    }
  }

  /** Yes or no; an empty answer is no. Throws Cancelled. */
  async confirm(question: string): Promise<boolean> {
    return this.ask(`${question} [y/N, q to cancel]:`, (answer) => {
      if (/^y(es)?$/i.test(answer)) return true;
      return /^(no?)?$/i.test(answer) ? false : new Unusable("Please answer y or n, or q to cancel.");
    });
  }

  private safe(text: string): string {
    return singleLine(this.run.log.mask(text));
  }

  private async line(): Promise<string | undefined> {
    const stopped = new Promise<undefined>((resolve) => this.run.stop.listen(() => resolve(undefined)));
    while (!this.typed.includes("\n")) {
      const text = await Promise.race([readInput(), stopped]);
      if (text === undefined || text === "") return undefined;
      this.typed += text;
    }
    const end = this.typed.indexOf("\n");
    const line = this.typed.slice(0, end);
    this.typed = this.typed.slice(end + 1);
    return line;
  }
}

/** What is typed next: a terminal gives it by lines. "" at the end of input, or when it cannot be read. */
async function readInput(): Promise<string> {
  const buffer = Buffer.alloc(4096);
  for (;;) {
    const got = await new Promise<number | string | undefined>((resolve) =>
      read(0, buffer, 0, buffer.length, null, (error, size) => resolve(error ? errnoOf(error) : size)),
    );
    // Whoever shares the terminal with us may have made it non-blocking.
    if (got === "EAGAIN") await sleep(50);
    else return typeof got === "number" ? buffer.toString("utf8", 0, got) : "";
  }
}
