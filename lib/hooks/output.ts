/** A hook's output on its way into the log: in order, bounded in the run's own log, whole on stdout. */

import type { ChildEnvironment } from "../environment.ts";
import type { Log } from "../log/log.ts";
import type { BothStreams } from "../process/child.ts";
import type { Pipe } from "../process/pipe.ts";
import { writeTo } from "../process/pump.ts";
import { CannotStart, spawn } from "../process/spawn.ts";
import { formatBytes } from "../units.ts";

export interface OutputPlan {
  readonly log: Log;
  /** The name before each line: the phase. */
  readonly source: string;
  readonly pipe: Pipe | undefined;
  readonly env: ChildEnvironment;
  /** Bytes that may go into the run's own log (HOOK_LOG_MAX_BYTES). */
  readonly fileMost: number;
}

export interface HookOutput {
  readonly streams: BothStreams;
  /** Says what went to stdout only. To be called once all has come. */
  readonly end: () => void;
}

export function hookOutput({ log, source, pipe, env, fileMost }: OutputPlan): HookOutput {
  const lines = log.child(fileMost);
  return {
    streams: {
      pipe,
      reader: () => writeTo((text) => lines.write(source, text), log.mask),
      onHeld: (read) => drainForEver(log, source, env, read),
    },
    end: () => {
      if (lines.leftOut === 0) return;
      log.info(
        `hook ${source}: ${formatBytes(lines.leftOut)} more of its lines went to stdout only ` +
          `(HOOK_LOG_MAX_BYTES=${fileMost}).`,
      );
    },
  };
}

/**
 * What the hook left behind goes on printing, to nobody: a reader that merely went away would kill it with SIGPIPE at
 * its next word.
 */
function drainForEver(log: Log, source: string, env: ChildEnvironment, read: number): void {
  try {
    spawn(["cat"], { env, stdin: read, session: true });
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    log.warn(`${error.message} What ${source} left running is killed when it prints again.`);
  }
}
