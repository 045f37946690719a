/**
 * Reports a run to the outside: metrics, mail, webhook, pings. Nothing here throws, changes an exit code, or takes
 * longer than the slowest channel may: mail, webhook and ping are sent at the same time. A stop aborts them at once.
 */

import type { VariableName } from "../config/variables.ts";
import type { Context } from "../context.ts";
import { errnoOf, Failure, reasonOf } from "../errors.ts";
import { type Stop, within } from "../process/stop.ts";
import type { Fields } from "../schema/fields.ts";
import { type Attention, needsAttention, type RunRecord } from "../state/record.ts";
import { untilStopped } from "./http.ts";
import { logForMail, sendMail } from "./mail.ts";
import { subjectOf } from "./message.ts";
import { RunMetrics } from "./metrics.ts";
import { ping, postWebhook, type Sent } from "./webhook.ts";

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

export class Notifier {
  private readonly metrics: RunMetrics;
  private readonly sending: AbortController;
  private readonly starting: AbortController;
  private started: Promise<void> = Promise.resolve();
  private readonly warned = new Set<string>();

  constructor(
    private readonly context: Context,
    private readonly stop: Stop,
    private readonly occasion: Occasion,
  ) {
    this.metrics = new RunMetrics(context, occasion);
    this.sending = untilStopped(stop);
    this.starting = untilStopped(stop);
  }

  /** Sends the start ping. To be called before the work. */
  async begin(): Promise<void> {
    if (this.occasion.quiet || this.stop.signal !== undefined || !this.has("HEALTHCHECKS_URL")) return;
    this.started = this.guard("ping", async () =>
      this.report("ping of the start", await ping(this.context, "start", this.starting.signal)),
    );
    await within(START_WAIT_MS, this.started);
  }

  /** Sends everything. To be called once the post-hooks have ended, or take long. `skips`: runs skipped in a row so far. */
  async tell(record: RunRecord, skips: () => number): Promise<void> {
    await this.complete(record, skips);
    // A start ping that arrived after the final one would make the job look as if it were still running.
    this.starting.abort("the work has ended");
    await this.started;
    if (this.occasion.quiet) return;
    if (this.stop.signal !== undefined) {
      this.context.log.note("No mail, webhook or ping is sent, because the run was told to stop.");
      return;
    }
    await Promise.all([this.mail(record), this.webhook(record), this.ping(record)]);
  }

  /** Writes the metrics. To be called before the post-hooks, which may want to push them, and when the record has changed. */
  async complete(record: RunRecord, skips: () => number): Promise<void> {
    if (!this.has("METRICS_DIR")) return;
    await this.guard("metrics file", () => this.metrics.write(record, skips));
  }

  private async mail(record: RunRecord): Promise<void> {
    await this.guard("mail", async () => {
      const { context, stop, occasion } = this;
      const onlyFailures = context.settings.flag("MAILX_ON_ERROR");
      if (!this.has("MAILX_RCPT") || !isWorthAMail(record, onlyFailures, occasion)) return;
      const body = context.log.hasFile ? logForMail(context) : undefined;
      const { to, refused, failure } = await sendMail(
        context,
        {
          subject: subjectOf(record, occasion.subject?.(record)),
          body: body ?? `${JSON.stringify(record, null, 2)}\n`,
        },
        stop,
      );
      for (const word of refused)
        context.log.warn(`MAILX_RCPT: "${word}" is not a mail address; no mail is sent to it.`);
      if (failure === undefined) context.log.info(`mail handed to sendmail for ${to.join(", ")}`);
      else context.log.warn(`The mail to ${to.join(", ")} was not sent: ${failure}`);
    });
  }

  private async webhook(record: RunRecord): Promise<void> {
    await this.guard("webhook", async () => {
      if (!this.has("WEBHOOK_URL")) return;
      if (this.context.settings.flag("WEBHOOK_ON_ERROR") && !needsAttention(record)) return;
      this.report("webhook", await postWebhook(this.context, record, this.sending.signal));
    });
  }

  private async ping(record: RunRecord): Promise<void> {
    await this.guard("ping", async () => {
      if (!this.has("HEALTHCHECKS_URL")) return;
      this.report("ping", await ping(this.context, pingWord(record), this.sending.signal));
    });
  }

  private report(what: string, { delivered, attempts, words, to }: Sent): void {
    const { log } = this.context;
    if (delivered) log.info(`${what} delivered to ${to} (${words})`);
    else
      log.warn(
        `The ${what} to ${to} was not delivered${attempts > 1 ? ` in ${attempts} attempts` : ""}: ${words}.`,
      );
  }

  private has(name: VariableName): boolean {
    return this.context.settings.configured(name);
  }

  /** Logs whatever goes wrong with one channel, and keeps it from the others. */
  private async guard(what: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      // The text of an unknown error may hold a URL.
      const known = error instanceof Failure || errnoOf(error) !== undefined;
      const reason = known ? reasonOf(error).replace(/\.$/, "") : `a bug (${(error as Error).name})`;
      this.warnOnce(`There is no ${what} of this run: ${reason}.`);
    }
  }

  /** The metrics are written twice in a run, and may fail twice for one reason. */
  private warnOnce(message: string): void {
    if (!this.warned.has(message)) this.context.log.warn(message);
    this.warned.add(message);
  }
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

/** A success is not mailed with MAILX_ON_ERROR, nor when the worker says that its success is no news. */
export function isWorthAMail(record: Attention, onlyFailures: boolean, worker: Announced): boolean {
  return needsAttention(record) || !(onlyFailures || worker.isSuccessMailed?.(record) === false);
}
