/** Turns the bytes that a program prints into lines. What is held back is bounded: memory stays flat. */

import type { Mask } from "../mask.ts";
import { visible } from "../visible.ts";

/** Characters after which a line of a hook's output is broken (hooks.md). */
export const LINE_MOST = 16 * 1024;
/** An unfinished line is cut when it is longer than so many log lines; cuts stay rare. */
const HELD_LINES = 4;
/** Kept back from a cut besides the longest secret: a URL's password may be just arriving. */
const MARGIN = 1024;

/** Lines that are safe to write: valid text, secrets masked, control characters visible, none too long. */
export class SafeLines {
  private readonly decoder = new TextDecoder();
  private held = "";

  constructor(private readonly mask: Mask) {}

  /** The lines that are complete with these bytes. */
  push(bytes: Uint8Array): string[] {
    const text = this.held + this.decoder.decode(bytes, { stream: true });
    const end = text.lastIndexOf("\n");
    this.held = text.slice(end + 1);
    const lines = end < 0 ? [] : this.finish(text.slice(0, end));
    return this.held.length > HELD_LINES * LINE_MOST ? [...lines, ...this.cut()] : lines;
  }

  /** The last line, when the output did not end with a newline. */
  end(): string[] {
    const rest = this.held + this.decoder.decode();
    this.held = "";
    return rest === "" ? [] : this.finish(rest);
  }

  /** Whole lines: masked together, so that a secret of several lines is seen too. */
  private finish(text: string): string[] {
    const lines = visible(this.mask(text)).split("\n");
    return lines.some((line) => line.length > LINE_MOST) ? lines.flatMap(broken) : lines;
  }

  /** The beginning of an endless line, but for a tail in which a secret may not be complete yet. */
  private cut(): string[] {
    const masked = this.mask(this.held);
    const keep = Math.max(this.mask.longest, MARGIN);
    const whole = Math.max(0, Math.floor((masked.length - keep) / LINE_MOST)) * LINE_MOST;
    this.held = masked.slice(whole);
    return whole > 0 ? broken(visible(masked.slice(0, whole))) : [];
  }
}

/** Characters of a line that a machine is meant to read (JSON); what is longer is cut and will not parse. */
const RAW_MOST = 1024 * 1024;

/** Lines as they are, to be parsed before they are masked: a password may be a word of the format. */
export class RawLines {
  private readonly decoder = new TextDecoder();
  private held = "";

  push(bytes: Uint8Array): string[] {
    const lines = (this.held + this.decoder.decode(bytes, { stream: true })).split("\n");
    this.held = lines.pop() ?? "";
    if (this.held.length > RAW_MOST) {
      lines.push(this.held);
      this.held = "";
    }
    return lines;
  }

  end(): string[] {
    const rest = this.held + this.decoder.decode();
    this.held = "";
    return rest === "" ? [] : [rest];
  }
}

function broken(line: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at === 0 || at < line.length; at += LINE_MOST) pieces.push(line.slice(at, at + LINE_MOST));
  return pieces;
}
