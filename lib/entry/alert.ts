/**
 * Tells the mail and the webhook that a container could not start, that its scheduler has died or that jobs may not be
 * started: no job will run, so no other message would come. A container that is restarted again and again says the same
 * reason once in six hours.
 */

import { statSync } from "node:fs";
import { Context } from "../context.ts";
import { EXIT, reasonOf } from "../errors.ts";
import { discard, readIfThere, replaceFile } from "../files/files.ts";
import { masked } from "../mask.ts";
import type { Stop } from "../process/stop.ts";
import { loadNotifier } from "../run/finish.ts";
import { type RunRecord, recordHeader } from "../state/record.ts";

/** Milliseconds after which the same reason is reported again. */
export const AGAIN_MS = 6 * 60 * 60 * 1000;

/** The reason that was reported last, and when. */
const notePath = ({ logDir }: Context): string => `${logDir}/entry-failed`;

export async function tellFailedStart(
  context: Context,
  stop: Stop,
  { message, exitCode }: { readonly message: string; readonly exitCode: number },
): Promise<void> {
  const notifier = await notifierOf(context, stop);
  if (notifier === undefined) return;
  const text = `${context.mask(message)}\n`;
  if (wasTold(context, text)) {
    context.log.info("This failure was reported to the alert channels before; it is not reported again yet.");
    return;
  }
  await notifier.tell(recordOf(context, { exit_code: exitCode, status: "failed", error: message }), () => 0);
  try {
    replaceFile(notePath(context), text);
  } catch (error) {
    context.log.warn(
      `${notePath(context)} cannot be written: ${reasonOf(error)}. Every failed start is reported.`,
    );
  }
}

/** The container has started: the next failure is news, and those who heard of the last one hear that all is well again. */
export async function tellStarted(context: Context, stop: Stop): Promise<void> {
  const hadFailed = hasNote(context);
  discard(notePath(context));
  if (!hadFailed) return;
  const notifier = await notifierOf(context, stop);
  await notifier?.tell(recordOf(context, { exit_code: EXIT.ok, status: "ok" }), () => 0);
}

function hasNote(context: Context): boolean {
  try {
    return readIfThere(notePath(context)) !== undefined;
  } catch {
    // A link or a pipe that somebody has put there, or another user's file: none that we have left.
    return false;
  }
}

/** The metrics are those of jobs; one of entry would never be taken back. */
function notifierOf(context: Context, stop: Stop) {
  const quiet = new Context("entry", { env: { ...context.settings.env, METRICS_DIR: undefined } });
  return loadNotifier(quiet, stop, { died: false });
}

function recordOf(
  context: Context,
  outcome: Pick<RunRecord, "exit_code" | "status"> & { readonly error?: string },
): RunRecord {
  const now = Date.now();
  const repository = context.shownRepository;
  return masked(
    {
      ...recordHeader(context.identity, now, now),
      ...outcome,
      ...(repository === undefined ? {} : { repository }),
      hooks: [],
    },
    context.mask,
  );
}

function wasTold(context: Context, text: string): boolean {
  try {
    if (readIfThere(notePath(context)) !== text) return false;
    return Date.now() - statSync(notePath(context)).mtimeMs < AGAIN_MS;
  } catch {
    // It cannot be read: better twice than never.
    return false;
  }
}
