/** Runs a program for its answer, bounded in time and in output. */

import type { Environment } from "../environment.ts";
import { pump } from "./pump.ts";
import { spawn } from "./spawn.ts";
import { type Stop, stopBudget } from "./stop.ts";
import { type Ended, supervise } from "./supervise.ts";
import { within } from "./timer.ts";

export interface Question {
  readonly env: Environment;
  /** Milliseconds that it may take; then it is ended, and `cause` says so. */
  readonly timeoutMs: number;
  /** Ends it too, when we are told to stop. */
  readonly stop: Stop;
}

export interface Answer extends Ended {
  readonly stdout: string;
  readonly stderr: string;
}

/** What is longer is no answer; the rest is read and thrown away. */
const MOST_BYTES = 256 * 1024;
/** From SIGINT to SIGKILL for a program that was asked in vain, in milliseconds. */
const GRACE_MS = 1000;
/** How long a child of the program that still holds its output is waited for, in milliseconds. */
const DRAIN_MS = 500;

/** Throws CannotStart. */
export async function ask(command: readonly string[], question: Question): Promise<Answer> {
  const { env, timeoutMs, stop } = question;
  const child = spawn(command, { env: { ...env }, stdout: "pipe", stderr: "pipe", session: true });
  const outputs = [collect(child.stdout), collect(child.stderr)] as const;
  const ended = await supervise(
    child,
    { leader: child.pid, marks: [] },
    { first: "SIGINT", timeoutMs, graceMs: GRACE_MS, stop, budget: stopBudget.question },
  );
  const all = Promise.all(outputs.map(({ done }) => done));
  if (!(await within(DRAIN_MS, all))) for (const each of outputs) await each.cancel();
  return { ...ended, stdout: outputs[0].text(), stderr: outputs[1].text() };
}

function collect(stream: ReadableStream<Uint8Array> | undefined) {
  const decoder = new TextDecoder();
  let text = "";
  const take = (bytes: Uint8Array) => {
    if (text.length < MOST_BYTES) text += decoder.decode(bytes, { stream: true });
  };
  const each = stream === undefined ? undefined : pump(stream, { take, end: () => {} });
  return {
    done: each?.done ?? Promise.resolve(),
    cancel: async () => each?.cancel(),
    text: () => text.slice(0, MOST_BYTES),
  };
}
