/**
 * Reads what a program prints to its end, chunk by chunk, so that the program waits when we are slower; and the ways in
 * which it can be taken: as safe lines for the log, as lines to be parsed, as bytes, as a short answer. How much of an
 * unfinished line is held back is bounded, so that memory stays flat.
 */

import { stdoutRoom } from "../log/stdout.ts";
import type { Mask } from "../mask.ts";
import { enableJit } from "../runtime.ts";
import { between, LINE_MOST, visibleLines } from "../text.ts";
import { eventLoopTurn } from "./stop.ts";

export interface Reader {
  /** While what it returns has not settled, nothing more is read. */
  take(bytes: Uint8Array): void | Promise<void>;
  /** There will be no more. */
  end(): void;
  /**
   * All of it must be taken: once take() has failed, the program works for nothing and is killed; and when it has ended,
   * the rest is waited for however slow the reader is.
   */
  readonly isVital?: true;
}

export interface Pump {
  /** Resolves at the end of the stream, also after cancel(); rejects then if the reader has thrown, or reading failed. */
  readonly done: Promise<void>;
  /** Resolves as soon as the reader has thrown, or nothing can be read; never, when neither happens. */
  readonly failed: Promise<void>;
  /** How many bytes have come so far. */
  readonly bytes: number;
  readonly isVital: boolean;
  /** Does it wait for a slow reader of our stdout? */
  readonly isHeld: boolean;
  /** From here on it waits for none. */
  hurry(): void;
  /** Lets the stream go although somebody still holds its other end. */
  cancel(): Promise<void>;
}

/** Chunks after which output is much. */
const MUCH = 16;

/**
 * A writer that is never slower than we are would keep us reading for ever: its next chunk is always there, so no
 * timer and no signal would get its turn. Milliseconds after which they do.
 */
const TURN_MS = 10;

/** What a program prints, piece by piece. */
export interface Source {
  read(): Promise<{ readonly value?: Uint8Array | undefined; readonly done: boolean }>;
  cancel(): Promise<void>;
}

/**
 * What the reader throws is a bug of ours, or a full disk. It must not stop the reading, since the writer would wait
 * for ever on a pipe that nobody empties: the rest is read and dropped, and the error is thrown at the end. So is one of
 * the stream, for there is a child already, which must not be left to itself.
 */
export function pump(stream: ReadableStream<Uint8Array> | Source, reader: Reader): Pump {
  let source: Source | undefined;
  let failure: { readonly error: unknown } | undefined;
  const isVital = reader.isVital === true;
  const hurried = Promise.withResolvers<void>();
  let isHurried = false;
  /** Fields, not accessors: each child is asked for them. */
  const state = { isHeld: false, bytes: 0 };
  let tellFailed = () => {};
  const failed = new Promise<void>((resolve) => {
    tellFailed = resolve;
  });
  const fail = (error: unknown) => {
    failure = { error };
    tellFailed();
  };
  const guarded = (action: () => void | Promise<void>): void | Promise<void> => {
    try {
      if (failure === undefined) return action()?.catch(fail);
    } catch (error) {
      fail(error);
    }
  };
  const hold = async (room: Promise<unknown>) => {
    state.isHeld = true;
    await Promise.race([room, hurried.promise]);
    state.isHeld = false;
  };
  const read = async () => {
    source = "getReader" in stream ? stream.getReader() : stream;
    let turned = performance.now();
    for (let chunks = 0; ; chunks++) {
      const { value, done } = await source.read();
      if (done || value === undefined) break;
      if (chunks === MUCH) enableJit();
      state.bytes += value.length;
      const taken = guarded(() => reader.take(value));
      if (taken !== undefined) await taken;
      // What has been read is shown, mostly: where the reader of our stdout is slow, whoever prints waits for it.
      const room = isVital || isHurried ? undefined : stdoutRoom();
      if (room !== undefined) await hold(room);
      if (performance.now() - turned < TURN_MS) continue;
      await eventLoopTurn();
      turned = performance.now();
    }
    await guarded(() => reader.end());
    if (failure !== undefined) throw failure.error;
  };
  const done = read().catch((error) => {
    tellFailed();
    throw error;
  });
  // Whoever awaits it hears of it; until then it must not count as unhandled.
  done.catch(() => {});
  return Object.assign(state, {
    done,
    failed,
    isVital,
    hurry: () => {
      isHurried = true;
      hurried.resolve();
    },
    cancel: async () => source?.cancel(),
  });
}

/** Bytes that become lines at once: as log lines, and in memory, short lines are many times as large. */
const PIECE = 16 * 1024;

function pieces(bytes: Uint8Array, take: (piece: Uint8Array) => void): void {
  for (let at = 0; at < bytes.length; at += PIECE) take(bytes.subarray(at, at + PIECE));
}

/** Gives `write` whole lines that are safe to be shown (see SafeLines), as one text, when there are any. */
export function writeTo(write: (lines: string) => void, mask: Mask): Reader {
  const lines = new SafeLines(mask);
  const pass = (text: string) => {
    if (text !== "") write(text);
  };
  return {
    take: (bytes) => pieces(bytes, (piece) => pass(lines.push(piece))),
    end: () => pass(lines.end()),
  };
}

/** Gives `take` lines as they are, those that come at once together (see RawLines), when there are any. */
export function onLines(take: (lines: readonly string[]) => void, mask: Mask): Reader {
  const lines = new RawLines(mask);
  const pass = (complete: readonly string[]) => {
    if (complete.length > 0) take(complete);
  };
  return {
    take: (bytes) => pieces(bytes, (piece) => pass(lines.push(piece))),
    end: () => pass(lines.end()),
  };
}

export type TakeBytes = (bytes: Uint8Array) => void | Promise<void>;

/** Gives `take` all bytes. */
export const onBytes = (take: TakeBytes): Reader => ({
  // Always a promise: what it throws at once is a failure like any other.
  take: async (bytes) => take(bytes),
  end: () => {},
  isVital: true,
});

export interface Collected extends Reader {
  readonly text: string;
}

/** Keeps a text of `most` characters; what is longer is read and thrown away. */
export function collect(most: number): Collected {
  const decoder = new TextDecoder();
  let text = "";
  return {
    take: (bytes) => {
      if (text.length < most) text += decoder.decode(bytes, { stream: true });
    },
    end: () => {},
    get text() {
      return text.slice(0, most);
    },
  };
}

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
    const lines = end === 0 ? "" : visibleLines(this.mask(this.held + text.slice(0, end)));
    this.held = end === 0 ? this.held + text : text.slice(end);
    return this.held.length > HELD_MOST ? lines + this.cut() : lines;
  }

  /** The last line, when the output did not end with a newline. */
  end(): string {
    const rest = this.held + this.decoder.decode();
    this.held = "";
    return rest === "" ? "" : visibleLines(this.mask(`${rest}\n`));
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
