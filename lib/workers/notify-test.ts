/** notify-test: a marked mail and a marked webhook. Here, and only here, delivery is the exit code. */

import { ConfigError, EXIT, UsageError } from "../errors.ts";
import { shownUrl, untilStopped } from "../notify/http.ts";
import { recipients, sendMail } from "../notify/mail.ts";
import { postWebhook, webhookUrl } from "../notify/webhook.ts";
import type { Outcome, Run } from "../run/run.ts";
import { defineWorker } from "../run/worker.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import { header, masked } from "../state/record.ts";
import { stamp } from "../time/format.ts";
import { localZone } from "../time/zone.ts";

const flags = {
  mail: { type: "boolean", description: "send a mail to MAILX_RCPT" },
  webhook: { type: "boolean", description: "send a record to WEBHOOK_URL" },
  all: { type: "boolean", description: "send to all that are configured; the default" },
  "dry-run": { type: "boolean", description: "say what would be sent, and to whom, and send nothing" },
  subject: { type: "string", description: "the subject, after the mark [TEST]" },
  message: { type: "string", description: "the text" },
} as const;

type Channel = "mail" | "webhook";
type Result = (typeof delivery)["options"][number];

const VARIABLE = { mail: "MAILX_RCPT", webhook: "WEBHOOK_URL" } as const;

const delivery = { type: "choice", options: ["delivered", "failed", "dry-run", "skipped"] } as const;

const facts = {
  dry_run: { type: "switch", help: "--dry-run was given" },
  mail_result: { ...delivery, help: "what became of the mail" },
  webhook_result: { ...delivery, help: "what became of the webhook" },
  test: { type: "switch", help: "ON marks the record that was posted as a test" },
  subject: { type: "string", help: "the subject of the test, in the record that was posted" },
  message: { type: "string", help: "the text of the test, in the record that was posted" },
} as const satisfies Fields;

type NotifyTestRun = Run<FactsOf<typeof facts>>;

export default defineWorker({
  about:
    "Sends a mail and a webhook that are marked as a test, whatever MAILX_ON_ERROR and WEBHOOK_ON_ERROR say, so " +
    "that an operator sees them arrive before a failure has to. No other mail, webhook or ping is sent for this run.",
  flags,
  environment: [],
  exits: [
    ["0", "all that was asked for was taken by the mail program and by the webhook"],
    ["1", "a delivery failed"],
  ],
  facts,
  quiet: true,
  work: async (run, invocation) => work(run, invocation.flags),
});

interface Asked {
  readonly mail: boolean;
  readonly webhook: boolean;
  readonly all: boolean;
  readonly "dry-run": boolean;
  readonly subject: string | undefined;
  readonly message: string | undefined;
}

async function work(run: NotifyTestRun, asked: Asked): Promise<Outcome> {
  const channels = channelsOf(run, asked);
  const text = textOf(run, asked);
  const results: Record<Channel, Result> = { mail: "skipped", webhook: "skipped" };
  for (const channel of channels) {
    if (run.ending) break;
    results[channel] = asked["dry-run"] ? rehearse(run, channel, text) : await send(run, channel, text);
  }
  run.addFacts({
    dry_run: asked["dry-run"] ? "ON" : "OFF",
    mail_result: results.mail,
    webhook_result: results.webhook,
  });
  return { exitCode: Object.values(results).includes("failed") ? EXIT.failed : EXIT.ok };
}

/** Whom to tell. Throws a ConfigError when somebody was asked for who is not configured, or cannot be told. */
function channelsOf({ settings, log }: Run, { mail, webhook, all }: Asked): Channel[] {
  if (all && (mail || webhook))
    throw new UsageError("--all goes without --mail and --webhook: it means both.");
  const named = (["mail", "webhook"] as const).filter((channel) => ({ mail, webhook })[channel]);
  for (const channel of named) {
    const variable = VARIABLE[channel];
    if (!settings.configured(variable)) {
      throw new ConfigError(`--${channel} has nobody to tell. Set ${variable} or ${variable}_FILE.`);
    }
  }
  const configured = (["mail", "webhook"] as const).filter((channel) =>
    settings.configured(VARIABLE[channel]),
  );
  if (configured.length === 0) {
    throw new ConfigError("There is nobody to tell. Set MAILX_RCPT, WEBHOOK_URL, or both.");
  }
  const channels = named.length > 0 ? named : configured;
  if (channels.includes("webhook")) webhookUrl({ settings });
  const refused = channels.includes("mail") ? recipients({ settings }).bad : [];
  for (const word of refused) log.warn(`MAILX_RCPT: "${word}" is no mail address and gets no mail.`);
  return channels;
}

interface Text {
  readonly subject: string;
  readonly message: string;
}

function textOf({ context: { identity } }: Run, { subject, message }: Asked): Text {
  const when = stamp(Date.now(), localZone());
  return {
    subject: `[TEST] ${subject ?? `restic-backup-helper ${identity.hostname}`}`,
    message: [
      message ??
        "This is a test of the notifications of restic-backup-helper. Nothing was backed up, nothing is wrong.",
      "",
      `Host: ${identity.hostname}`,
      `Time: ${when}`,
      `Run:  ${identity.runId}`,
      "",
    ].join("\n"),
  };
}

function rehearse({ log, settings }: Run, channel: Channel, { subject }: Text): Result {
  const to =
    channel === "mail" ? recipients({ settings }).good.join(", ") : shownUrl(webhookUrl({ settings }));
  log.info(`Dry run: the ${channel} "${subject}" would go to ${to}.`);
  return "dry-run";
}

async function send(run: Run, channel: Channel, text: Text): Promise<Result> {
  const { to, why } = channel === "mail" ? await mail(run, text) : await webhook(run, text);
  if (why === undefined) run.log.info(`The ${channel} "${text.subject}" was delivered to ${to}.`);
  else run.log.error(`The ${channel} to ${to} was not delivered: ${why}`);
  return why === undefined ? "delivered" : "failed";
}

async function mail({ context, stop }: Run, { subject, message }: Text) {
  const { to, failure } = await sendMail(context, { subject, body: message }, stop);
  return { to: to.join(", "), why: failure };
}

/** A record like any other, so that what receives it need not know of tests; `test` marks it for what does. */
async function webhook({ context, stop }: Run, text: Text) {
  const now = Date.now();
  const record = masked(
    { ...header(context.identity, now, now), exit_code: 0, status: "ok", test: "ON", ...text, hooks: [] },
    context.mask,
  );
  const { to, delivered, words } = await postWebhook(context, record, untilStopped(stop).signal);
  return { to, why: delivered ? undefined : `${words}.` };
}
