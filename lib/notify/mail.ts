/** Mails a text to MAILX_RCPT through sendmail(1), which is msmtp in the image. */

import { readSync } from "node:fs";
import type { Context } from "../context.ts";
import { ConfigError, Failure, reasonOf } from "../errors.ts";
import { replaceFile, withRegularFile } from "../files/files.ts";
import { type ChildEnd, runChild } from "../process/child.ts";
import { writeTo } from "../process/pump.ts";
import { resolveProgram } from "../process/spawn.ts";
import { type Stop, stopBudget } from "../process/stop.ts";
import { hiddenFromSendmail } from "../secrets.ts";
import { localZone } from "../time/zone.ts";
import { type Recipients, recipientsOf, renderMessage, shortened } from "./message.ts";

/** Bytes of the log that a mail carries: relays refuse a few MiB and more, and a person reads the end of it. */
export const MAIL_MOST_BYTES = 1024 * 1024;
/** Milliseconds that sendmail may take, and then until SIGKILL: a relay that is there answers within a few seconds. */
const LIMITS = { timeoutMs: 30_000, graceMs: 2000 };
/** Characters of sendmail's own words that are kept. */
const WORDS_MOST = 65_536;

export interface Mailed {
  readonly to: readonly string[];
  /** Words in MAILX_RCPT that are no address, and get nothing. */
  readonly refused: readonly string[];
  /** Why sendmail did not take it; undefined when it did. */
  readonly failure: string | undefined;
}

/** Who gets mail. Throws a ConfigError when MAILX_RCPT names nobody. */
export function recipients({ settings }: Pick<Context, "settings">): Recipients {
  const found = recipientsOf(settings.text("MAILX_RCPT"));
  if (found.good.length > 0) return found;
  throw new ConfigError("MAILX_RCPT holds no mail address. Correct it, or unset it.");
}

/** Throws a ConfigError when MAILX_RCPT names nobody. */
export async function sendMail(
  context: Context,
  { subject, body }: { readonly subject: string; readonly body: string },
  stop: Stop,
  limits = LIMITS,
): Promise<Mailed> {
  const { good, bad } = recipients(context);
  const message = renderMessage({
    to: good,
    subject: context.mask(subject),
    body: context.mask(body),
    epochMs: Date.now(),
    zone: localZone(),
    id: context.identity.runId,
    hostname: context.mask(context.identity.hostname),
  });
  return { to: good, refused: bad, failure: await handOver(context, message, stop, limits) };
}

/** The run's log, or its last `most` bytes; undefined when there is none to be read. */
export function endOfLog({ logPath, identity, mask }: Context, most = MAIL_MOST_BYTES): string | undefined {
  try {
    return withRegularFile(logPath, (fd, size) => {
      const bytes = Buffer.allocUnsafe(Math.min(size, most));
      const text = bytes.toString("utf8", 0, readSync(fd, bytes, 0, bytes.length, size - bytes.length));
      return size > most ? shortened(text, size, `${logPath} on ${mask(identity.hostname)}`) : text;
    });
  } catch {
    // LOG_DIR is missing or full: the run has logged that already, and the caller mails something else.
    return undefined;
  }
}

/** Why sendmail did not take the message; undefined when it did. Its own words go to `<worker>-mail-last.log`. */
async function handOver(
  context: Context,
  message: string,
  stop: Stop,
  limits: typeof LIMITS,
): Promise<string | undefined> {
  const words = new Words();
  const listen = () => writeTo((lines) => words.add(lines), context.mask);
  let failure: string | undefined;
  try {
    // -i: a line with nothing but a dot is a line, and not the end.
    const path = resolveProgram("sendmail", context.env.PATH);
    const ended = await runChild(["sendmail", "-t", "-i"], {
      env: { ...context.env, ...hiddenFromSendmail(context.env, path) },
      stdin: Buffer.from(message),
      stdout: listen(),
      stderr: listen(),
      drainMs: 500,
      ...limits,
      stop,
      budget: stopBudget.sendmail,
    });
    failure = failureOf(ended, words, limits.timeoutMs);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    failure = `${error.message} Install msmtp, or another program that brings sendmail(1).`;
  }
  keepWords(context, words, failure);
  return failure;
}

function failureOf(ended: ChildEnd, words: Words, timeoutMs: number): string | undefined {
  if (ended.cause === "timed out") return `sendmail did not end within ${timeoutMs / 1000}s and was stopped.`;
  if (ended.cause === "stopped") return "sendmail was stopped, because the run is stopping.";
  if (ended.code === 0) return undefined;
  const said = words.text.split("\n").find((line) => line.trim() !== "");
  return `sendmail ended with ${ended.code}${said === undefined ? "." : `: ${said}`}`;
}

/** The beginning of what sendmail says; the rest is dropped. */
class Words {
  text = "";

  add(lines: string): void {
    const room = WORDS_MOST - this.text.length;
    this.text += lines.length <= room ? lines : lines.slice(0, lines.lastIndexOf("\n", room - 1) + 1);
  }
}

function keepWords(context: Context, words: Words, failure: string | undefined): void {
  const path = context.mailLogPath;
  const text = `${words.text}${failure ?? "sendmail took the message."}\n`;
  try {
    replaceFile(path, context.mask(text), { durable: false });
  } catch (error) {
    context.log.warn(`What sendmail said cannot be kept in ${path}: ${reasonOf(error)}.`);
  }
}
