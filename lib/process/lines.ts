/** Turns the bytes that a program prints into lines. How much is held back is bounded, so that memory stays flat. */

import { between, LINE_MOST, safeText, visibleLines } from "../log/child-log.ts";
import type { Mask } from "../mask.ts";

/** Characters after which an unfinished line is cut: four log lines, so that cuts stay rare. */
const HELD_MOST = 4 * LINE_MOST;
/** Characters kept back from a cut, or the longest secret's where it is longer: a URL's password may be just arriving. */
const MARGIN = 1024;

/** Lines that are safe to be shown: valid UTF-8, secrets masked, control characters visible, none too long. */
export class SafeLines {
  private readonly decoder = new TextDecoder();
  private held = "";

  constructor(private readonly mask: Mask) {}

  /** The lines that are complete with these bytes, each with its newline; "" when none is. */
  push(bytes: Uint8Array): string {
    const text = this.decoder.decode(bytes, { stream: true });
    const end = text.lastIndexOf("\n") + 1;
    const lines = end === 0 ? "" : safeText(this.mask, this.held + text.slice(0, end));
    this.held = end === 0 ? this.held + text : text.slice(end);
    return this.held.length > HELD_MOST ? lines + this.cut() : lines;
  }

  /** The last line, when the output did not end with a newline. */
  end(): string {
    const rest = this.held + this.decoder.decode();
    this.held = "";
    return rest === "" ? "" : safeText(this.mask, `${rest}\n`);
  }

  private cut(): string {
    const { done, rest } = cut(this.held, this.mask, LINE_MOST);
    this.held = rest;
    return done === "" ? "" : visibleLines(`${done}\n`);
  }
}

/** Characters of a line that is meant for a machine (JSON); a longer one is cut and will not parse. */
const RAW_MOST = 1024 * 1024;

/** Lines as they are, to be parsed before they are masked: a password may be a word of the format. */
export class RawLines {
  private readonly decoder = new TextDecoder();
  private held = "";

  constructor(private readonly mask: Mask) {}

  push(bytes: Uint8Array): string[] {
    const lines = (this.held + this.decoder.decode(bytes, { stream: true })).split("\n");
    this.held = lines.pop() ?? "";
    // Only what begins like JSON may be a message; plain words need no more room than those of a hook.
    if (this.held.length > (this.held.startsWith("{") ? RAW_MOST : HELD_MOST)) {
      const { done, rest } = cut(this.held, this.mask, 1);
      this.held = rest;
      lines.push(done);
    }
    return lines;
  }

  end(): string[] {
    const rest = this.held + this.decoder.decode();
    this.held = "";
    return rest === "" ? [] : [rest];
  }
}

/**
 * Masks the beginning of an endless line and cuts it at a multiple of `unit` characters, but for a tail in which
 * a secret may not be complete yet.
 */
function cut(line: string, mask: Mask, unit: number): { done: string; rest: string } {
  const masked = mask(line);
  const keep = Math.max(mask.longest, MARGIN);
  const at = between(masked, Math.max(0, Math.floor((masked.length - keep) / unit)) * unit);
  return { done: masked.slice(0, at), rest: masked.slice(at) };
}
