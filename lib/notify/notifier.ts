/**
 * Reports a run to the outside: metrics, mail, webhook, pings. Nothing here throws, changes an exit code, or takes
 * longer than the slowest channel may: mail, webhook and ping are sent at the same time. A stop aborts them at once, but
 * for the ping of the run's end, which gets a second: nobody should wait for a run that is over.
 */

import type { VariableName } from "../config/variables.ts";
import type { Context } from "../context.ts";
import { errnoOf, Failure, reasonOf } from "../errors.ts";
import { type Stop, within } from "../process/stop.ts";
import { builtin } from "../runtime.ts";
import type { Fields } from "../schema/fields.ts";
import { type Attention, needsAttention, type RunRecord } from "../state/record.ts";
import { untilStopped } from "./http.ts";
import { endOfLog, sendMail } from "./mail.ts";
import { subjectOf } from "./message.ts";
import { RunMetrics } from "./metrics.ts";
import {
  type Channel,
  endsTrouble,
  forgetReported,
  isAtTerminal,
  isPersonal,
  noteReported,
  readReported,
  recoveredText,
  severityOf,
  thresholdOf,
} from "./trouble.ts";
import { ping, pingServiceText, postWebhook, type Sent, webhookUrl } from "./webhook.ts";

/** What a worker declares about its notifications (see Worker in lib/run/worker.ts). */
export interface Announced {
  readonly facts?: Fields;
  subject?(facts: object): string | undefined;
  isSuccessMailed?(facts: object): boolean;
  readonly quiet?: true;
}

export interface Occasion extends Announced {
  /** The previous run was killed: metrics count it as a failure. */
  readonly died: boolean;
}

/** Milliseconds that the work waits for the start ping; a slower ping continues while the work runs. */
const START_WAIT_MS = 1000;
/** Milliseconds that the ping of the end may take after a stop. */
const STOPPED_MS = 1000;
const CHANNELS = ["mail", "webhook"] as const satisfies readonly Channel[];
const RECIPIENT = { mail: "MAILX_RCPT", webhook: "WEBHOOK_URL" } as const;
/** Bytes of a ping's body: a healthchecks of one's own keeps no more (its PING_BODY_LIMIT), and keeps the beginning. */
const BODY_MOST = 10_000;
/** Bytes of it that the summary leaves to the log at the least. */
const LOG_LEAST = 2000;

export class Notifier {
  private readonly metrics: RunMetrics;
  private readonly sending: AbortController;
  private readonly starting: AbortController;
  private readonly pingVariable: string | undefined;
  private readonly rid = builtin("node:crypto").randomUUID();
  private started: Promise<unknown> = Promise.resolve();
  /** The ping of the end of a run that was stopped. */
  private pinged: Promise<void> | undefined;
  /** What is sent about another run, while this one goes on. */
  private beside: Promise<void> = Promise.resolve();
  private readonly warned = new Set<string>();

  constructor(
    private readonly context: Context,
    private readonly stop: Stop,
    private readonly occasion: Occasion,
  ) {
    this.metrics = new RunMetrics(context, occasion);
    this.sending = untilStopped(stop);
    this.starting = untilStopped(stop);
    this.pingVariable = occasion.quiet ? undefined : context.settings.pingVariable(context.job);
  }

  /**
   * Sends the start ping. To be called before the work. At a terminal a person watches, and may cancel: a start without
   * an end would be an alarm.
   */
  async begin(): Promise<void> {
    const variable = this.pingVariable;
    if (variable === undefined || this.stop.signal !== undefined || isAtTerminal()) return;
    const start = { variable, word: "start", rid: this.rid };
    this.started = this.guard("ping", async () =>
      this.report("ping of the start", await ping(this.context, start, this.starting.signal)),
    );
    await within(START_WAIT_MS, this.started);
  }

  /** Sends mail and webhook about another run than this one, which goes on meanwhile. `title`: of the mail. */
  tellBeside(record: RunRecord, title: string): void {
    if (this.occasion.quiet || this.stop.signal !== undefined) return;
    this.beside = this.announce(record, { subject: title, body: textOf(record) });
  }

  /** Sends mail and webhook about what is not a run of its own: a skip, a death. `title`: of the mail. */
  async tellApart(record: RunRecord, title: string): Promise<void> {
    this.tellBeside(record, title);
    await this.beside;
  }

  /** Sends everything about a run that has died, and cannot do so itself. `title`: of the mail. */
  async tellDeath(record: RunRecord, title: string, skips: () => number): Promise<void> {
    // The pid is no figure to be drawn.
    const { pid: _, ...figures } = record;
    await this.complete(figures, skips);
    if (this.stop.signal !== undefined) return;
    await Promise.all([this.tellApart(record, title), this.ping(record)]);
  }

  /** Sends everything. To be called once the post-hooks have ended, or take long. `skips`: runs skipped in a row so far. */
  async tell(record: RunRecord, skips: () => number): Promise<void> {
    await this.complete(record, skips);
    await this.beside;
    if (this.occasion.quiet) return;
    if (isPersonal(record)) {
      this.context.log.note(
        "No mail, webhook or ping is sent: whoever typed this at the terminal knows of it.",
      );
      return;
    }
    if (this.stop.signal !== undefined) {
      this.context.log.note("No mail and no webhook is sent, because the run is stopping.");
      await this.pinged;
      return;
    }
    await Promise.all([this.announce(record), this.ping(record)]);
  }

  /**
   * Writes the metrics, and pings the end of a run that was stopped, which does not wait for its post-hooks. To be called
   * before these, which may want to push the metrics, and when the record has changed.
   */
  async complete(record: RunRecord, skips: () => number): Promise<void> {
    if (this.stop.signal !== undefined && !isPersonal(record)) this.pinged ??= this.ping(record);
    if (!this.has("METRICS_DIR")) return;
    await this.guard("metrics file", () => this.metrics.write(record, skips));
  }

  /**
   * Mail and webhook, each if it is to hear of this; and once, to those who heard of trouble, that all is well again. `mail`:
   * in the place of the run's own.
   */
  private async announce(record: RunRecord, mail?: { subject: string; body: string }): Promise<void> {
    const { context } = this;
    const severity = severityOf(record);
    const trouble = endsTrouble(record) ? readReported(context) : undefined;
    const shown = trouble === undefined ? record : { ...record, recovered: recoveredText(context, trouble) };
    const due = CHANNELS.filter((channel) => {
      if (!this.has(RECIPIENT[channel])) return false;
      if (trouble?.channels.includes(channel)) return true;
      const threshold = this.thresholdOf(channel);
      if (severity < threshold) return false;
      return channel === "webhook" || isWorthAMail(record, threshold > 0, this.occasion);
    });
    if (severity > 0 && due.length > 0) noteReported(context, record, due);
    if (trouble !== undefined) context.log.info(recoveredText(context, trouble));
    const sent = await Promise.all([
      due.includes("mail") ? this.mail(shown, mail) : true,
      due.includes("webhook") ? this.webhook(shown) : true,
    ]);
    if (trouble !== undefined && !sent.includes(false)) forgetReported(context);
  }

  /** Of a switch that cannot be read nothing is known: then everything is sent. */
  private thresholdOf(channel: Channel): number {
    try {
      return thresholdOf(this.context.settings, channel);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.warnOnce(`${error.message} Until then the ${channel} is sent for every run.`);
      return 0;
    }
  }

  private async mail(record: RunRecord, other?: { subject: string; body: string }): Promise<boolean> {
    return this.guard("mail", async () => {
      const { context, stop, occasion } = this;
      const { recovered } = record;
      const again = typeof recovered === "string" ? "all is well again" : undefined;
      const detail = [again, occasion.subject?.(record)].filter(Boolean).join(" · ");
      const log = context.log.hasFile ? endOfLog(context) : undefined;
      const { to, refused, failure } = await sendMail(
        context,
        other ?? { subject: subjectOf(record, detail || undefined), body: bodyOf(record, log) },
        stop,
      );
      for (const word of refused)
        context.log.warn(`MAILX_RCPT: "${word}" is not a mail address; no mail is sent to it.`);
      if (failure === undefined) context.log.info(`mail handed to sendmail for ${to.join(", ")}`);
      else context.log.warn(`The mail to ${to.join(", ")} was not sent: ${failure}`);
      return failure === undefined;
    });
  }

  private async webhook(record: RunRecord): Promise<boolean> {
    return this.guard("webhook", async () => {
      const odd = pingServiceText(webhookUrl(this.context));
      if (odd !== undefined) this.warnOnce(`WEBHOOK_URL ${odd}`);
      return this.report("webhook", await postWebhook(this.context, record, this.sending.signal));
    });
  }

  /** The ping of the end. */
  private async ping(record: RunRecord): Promise<void> {
    // A start ping that arrived after the final one would make the job look as if it were still running.
    this.starting.abort("the work has ended");
    await this.started;
    const variable = this.pingVariable;
    if (variable === undefined) return;
    await this.guard("ping", async () => {
      const end = { variable, word: pingWord(record), rid: this.rid, body: this.summary(record) };
      const { signal } = untilStopped(this.stop, STOPPED_MS);
      return this.report("ping", await ping(this.context, end, signal));
    });
  }

  /** For who reads at the ping service what happened; the log only by HEALTHCHECKS_LOG, as it leaves the house. */
  private summary(record: RunRecord): string {
    const { context, occasion } = this;
    const { error, alerts = [], run_id } = record;
    const lines = [
      subjectOf(record, occasion.subject?.(record)),
      ...(error === undefined ? [] : [error]),
      ...alerts.map(({ message }) => message),
      `Run ${run_id}`,
    ];
    const text = context.mask(`${lines.join("\n")}\n`);
    if (!context.settings.flag("HEALTHCHECKS_LOG")) return firstBytes(text, BODY_MOST);
    const summary = firstBytes(text, BODY_MOST - LOG_LEAST);
    // The line that says what was left out has a path and a host in it.
    const room = BODY_MOST - Buffer.byteLength(summary) - 500;
    return firstBytes(`${summary}\n${endOfLog(context, room) ?? ""}`, BODY_MOST);
  }

  private report(what: string, { delivered, attempts, words, to }: Sent): boolean {
    const { log } = this.context;
    if (delivered) log.info(`${what} delivered to ${to} (${words})`);
    else
      log.warn(
        `The ${what} to ${to} was not delivered${attempts > 1 ? ` in ${attempts} attempts` : ""}: ${words}.`,
      );
    return delivered;
  }

  private has(name: VariableName): boolean {
    return this.context.settings.configured(name);
  }

  /** Logs whatever goes wrong with one channel, and keeps it from the others. False when something did. */
  private async guard(what: string, action: () => Promise<unknown>): Promise<boolean> {
    try {
      return (await action()) !== false;
    } catch (error) {
      // The text of an unknown error may hold a URL.
      const known = error instanceof Failure || errnoOf(error) !== undefined;
      const reason = known ? reasonOf(error).replace(/\.$/, "") : `a bug (${(error as Error).name})`;
      this.warnOnce(`There is no ${what} of this run: ${reason}.`);
      return false;
    }
  }

  /** The metrics are written twice in a run, and may fail twice for one reason. */
  private warnOnce(message: string): void {
    if (!this.warned.has(message)) this.context.log.warn(message);
    this.warned.add(message);
  }
}

/** The log, below the reason where that does not stand in it: the work may have failed before there was a log. */
function bodyOf(record: RunRecord, log: string | undefined): string {
  if (log === undefined) return textOf(record);
  const { error } = record;
  return error === undefined || log.includes(error) ? log : `${error}\n\n${log}`;
}

/** What a mail says of a run without a log: its reasons in a sentence each, then all of its record. */
function textOf(record: RunRecord): string {
  const { error, recovered, alerts = [] } = record;
  const said = [recovered, error, ...alerts.map(({ message }) => message)].filter(
    (each) => each !== undefined,
  );
  return `${said.map((each) => `${String(each)}\n\n`).join("")}${JSON.stringify(record, null, 2)}\n`;
}

function firstBytes(text: string, most: number): string {
  const bytes = Buffer.from(text);
  return bytes.length <= most ? text : bytes.toString("utf8", 0, most).replace(/\ufffd+$/, "");
}

/**
 * The last part of a ping's URL: the exit code; `fail` for a warning that exits 0, which would read as a success; `log`
 * for a dry run that somebody asked for, which is neither a success nor a failure.
 */
export function pingWord(record: Attention): string {
  if (record.exit_code !== 0) return String(record.exit_code);
  if (needsAttention(record)) return "fail";
  return record.status === "dry-run" ? "log" : "0";
}

/** A success is not mailed with MAILX_ON_ERROR, nor when the worker says that its success is not news. */
export function isWorthAMail(record: Attention, onlyFailures: boolean, worker: Announced): boolean {
  return needsAttention(record) || !(onlyFailures || worker.isSuccessMailed?.(record) === false);
}
