/** Reads a stream to its end, chunk by chunk, so that the writer waits when we are slower. */

import { enableJit } from "../runtime.ts";
import { eventLoopTurn } from "./timer.ts";

export interface Reader {
  /** While what it returns has not settled, nothing more is read. */
  take(bytes: Uint8Array): void | Promise<void>;
  /** There will be no more. */
  end(): void;
}

export interface Pump {
  /** Resolves at the end of the stream, also after cancel(); rejects then if the reader has thrown. */
  readonly done: Promise<void>;
  /** Lets the stream go although somebody still holds its other end. */
  cancel(): Promise<void>;
}

/** Chunks after which output is much. */
const MUCH = 16;

/**
 * A writer that is never slower than we are would keep us reading for ever: its next chunk is always there, so no
 * timer and no signal would get its turn. So many milliseconds may pass without one.
 */
const TURN_MS = 10;

/**
 * What the reader throws is a bug of ours, or a full disk. It must not stop the reading, since the writer would wait
 * for ever on a pipe that nobody empties: the rest is read and dropped, and the error is told at the end.
 */
export function pump(stream: ReadableStream<Uint8Array>, reader: Reader): Pump {
  const source = stream.getReader();
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown) => {
    failure = { error };
  };
  const guarded = (action: () => void | Promise<void>): void | Promise<void> => {
    try {
      if (failure === undefined) return action()?.catch(fail);
    } catch (error) {
      fail(error);
    }
  };
  const read = async () => {
    let turned = performance.now();
    for (let chunks = 0; ; chunks++) {
      const { value, done } = await source.read();
      if (done) break;
      if (chunks === MUCH) enableJit();
      const taken = guarded(() => reader.take(value));
      if (taken !== undefined) await taken;
      if (performance.now() - turned < TURN_MS) continue;
      await eventLoopTurn();
      turned = performance.now();
    }
    await guarded(() => reader.end());
    if (failure !== undefined) throw failure.error;
  };
  const done = read();
  // Whoever awaits it hears of it; until then it must not count as unhandled.
  done.catch(() => {});
  return { done, cancel: () => source.cancel() };
}
