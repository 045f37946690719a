/**
 * Tells the mail and the webhook that a container could not start: no job will run, so no other message would come. A
 * container that is restarted again and again says the same reason once in six hours.
 */

import { statSync } from "node:fs";
import { Context } from "../context.ts";
import { reasonOf } from "../errors.ts";
import { discard, readIfThere, replaceFile } from "../files/files.ts";
import { masked } from "../mask.ts";
import type { Stop } from "../process/stop.ts";
import { loadNotifier } from "../run/finish.ts";
import { type RunRecord, recordHeader } from "../state/record.ts";

/** Milliseconds after which the same reason is told again. */
const AGAIN_MS = 6 * 60 * 60 * 1000;

/** The reason that was told last, with the time at which it was. */
const notePath = ({ logDir }: Context): string => `${logDir}/entry-failed`;

export async function tellFailedStart(
  context: Context,
  stop: Stop,
  { message, exitCode }: { readonly message: string; readonly exitCode: number },
): Promise<void> {
  // The metrics are those of jobs; one of entry would never be taken back.
  const quiet = new Context("entry", { env: { ...context.settings.env, METRICS_DIR: undefined } });
  const notifier = await loadNotifier(quiet, stop, { died: false });
  if (notifier === undefined) return;
  const text = `${context.mask(message)}\n`;
  if (wasTold(context, text)) {
    context.log.info("This failure was reported to the alert channels before; it is not reported again yet.");
    return;
  }
  const now = Date.now();
  const repository = context.shownRepository;
  const record: RunRecord = masked(
    {
      ...recordHeader(context.identity, now, now),
      exit_code: exitCode,
      status: "failed",
      error: message,
      ...(repository === undefined ? {} : { repository }),
      hooks: [],
    },
    context.mask,
  );
  await notifier.tell(record, () => 0);
  try {
    replaceFile(notePath(context), text);
  } catch (error) {
    context.log.warn(
      `${notePath(context)} cannot be written: ${reasonOf(error)}. Every failed start is reported.`,
    );
  }
}

/** The container has started: the next failure is news. */
export const forgetFailedStart = (context: Context): void => {
  discard(notePath(context));
};

function wasTold(context: Context, text: string): boolean {
  try {
    if (readIfThere(notePath(context)) !== text) return false;
    return Date.now() - statSync(notePath(context)).mtimeMs < AGAIN_MS;
  } catch {
    // It cannot be read: better twice than never.
    return false;
  }
}
