/** notify-test: sends a mail and a webhook that are marked as a test. Only here a failed delivery is a failed run. */

import { ConfigError, EXIT, UsageError } from "../errors.ts";
import { masked } from "../mask.ts";
import { shownUrl, untilStopped } from "../notify/http.ts";
import { recipients, sendMail } from "../notify/mail.ts";
import { postWebhook, webhookUrl } from "../notify/webhook.ts";
import type { Outcome, Run } from "../run/run.ts";
import { defineWorker } from "../run/worker.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import { recordHeader } from "../state/record.ts";
import { localZone, stamp } from "../time/zone.ts";

const flags = {
  mail: { type: "boolean", description: "send a mail to MAILX_RCPT" },
  webhook: { type: "boolean", description: "send a record to WEBHOOK_URL" },
  all: { type: "boolean", description: "send to both, where configured; the default" },
  "dry-run": { type: "boolean", description: "say what would be sent, and to whom, but send nothing" },
  subject: { type: "string", description: "the subject, after the mark [TEST]" },
  message: { type: "string", description: "the text of the message" },
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
  subject: { type: "string", help: "the subject of the test" },
  message: { type: "string", help: "the text of the test" },
  target_mode: { type: "choice", options: ["all", "mail", "webhook"], help: "which channels were asked for" },
  mail_requested: { type: "switch", help: "a mail was asked for" },
  webhook_requested: { type: "switch", help: "a webhook was asked for" },
  mail_configured: { type: "switch", help: "MAILX_RCPT is given" },
  webhook_configured: { type: "switch", help: "WEBHOOK_URL is given" },
  mail_rc: { type: "count", help: "0, or 1 when the mail was not delivered" },
  webhook_rc: { type: "count", help: "0, or 1 when the webhook was not delivered" },
  mail_on_error: { type: "switch", help: "MAILX_ON_ERROR" },
  webhook_on_error: { type: "switch", help: "WEBHOOK_ON_ERROR" },
  webhook_url: { type: "string", help: "scheme and host of WEBHOOK_URL; empty without one" },
  webhook_auth_header_set: { type: "switch", help: "WEBHOOK_HEADER_AUTH is given" },
  webhook_timeout: { type: "count", help: "WEBHOOK_TIMEOUT in seconds" },
} as const satisfies Fields;

type NotifyTestRun = Run<FactsOf<typeof facts>>;

export default defineWorker({
  about:
    "Sends a mail and a webhook that are marked as a test, whatever MAILX_ON_ERROR and WEBHOOK_ON_ERROR say, so " +
    "that an operator sees them arrive before a failure needs them. No other mail, webhook or ping is sent for this run.",
  flags,
  environment: [],
  exits: [
    ["0", "the mail program and the webhook accepted everything that was to be sent"],
    ["1", "a delivery failed"],
  ],
  facts,
  quiet: true,
  work: async (run, invocation) => work(run, invocation.flags),
});

interface Options {
  readonly mail: boolean;
  readonly webhook: boolean;
  readonly all: boolean;
  readonly "dry-run": boolean;
  readonly subject: string | undefined;
  readonly message: string | undefined;
}

async function work(run: NotifyTestRun, asked: Options): Promise<Outcome> {
  run.addFacts({ mail_rc: 0, webhook_rc: 0, webhook_url: "" });
  const channels = selectChannels(run, asked);
  run.addFacts(describeChannels(run, asked));
  if (channels.includes("webhook")) run.facts.webhook_url = shownUrl(webhookUrl(run));
  const text = buildText(run, asked);
  const results: Record<Channel, Result> = { mail: "skipped", webhook: "skipped" };
  for (const channel of channels) {
    if (run.stopping) break;
    results[channel] = asked["dry-run"] ? announce(run, channel, text) : await send(run, channel, text);
  }
  run.addFacts({
    dry_run: asked["dry-run"] ? "ON" : "OFF",
    mail_result: results.mail,
    webhook_result: results.webhook,
    mail_rc: results.mail === "failed" ? EXIT.failed : EXIT.ok,
    webhook_rc: results.webhook === "failed" ? EXIT.failed : EXIT.ok,
    ...text,
  });
  return { exitCode: Object.values(results).includes("failed") ? EXIT.failed : EXIT.ok };
}

function describeChannels({ settings }: Run, { mail, webhook }: Options) {
  const onOff = (value: boolean) => (value ? "ON" : "OFF");
  const isAll = mail === webhook;
  return {
    target_mode: isAll ? "all" : mail ? "mail" : "webhook",
    mail_requested: onOff(isAll || mail),
    webhook_requested: onOff(isAll || webhook),
    mail_configured: onOff(settings.configured("MAILX_RCPT")),
    webhook_configured: onOff(settings.configured("WEBHOOK_URL")),
    mail_on_error: onOff(settings.flag("MAILX_ON_ERROR")),
    webhook_on_error: onOff(settings.flag("WEBHOOK_ON_ERROR")),
    webhook_auth_header_set: onOff(settings.configured("WEBHOOK_HEADER_AUTH")),
    webhook_timeout: settings.seconds("WEBHOOK_TIMEOUT"),
  } as const;
}

/** Throws a ConfigError when a requested channel is not configured or its setting is invalid, or when none is. */
function selectChannels({ settings, log }: Run, { mail, webhook, all }: Options): Channel[] {
  if (all && (mail || webhook))
    throw new UsageError("--all means both channels; use it without --mail and --webhook.");
  const named = (["mail", "webhook"] as const).filter((channel) => ({ mail, webhook })[channel]);
  for (const channel of named) {
    const variable = VARIABLE[channel];
    if (!settings.configured(variable)) {
      throw new ConfigError(`--${channel} has no recipient. Set ${variable} or ${variable}_FILE.`);
    }
  }
  const configured = (["mail", "webhook"] as const).filter((channel) =>
    settings.configured(VARIABLE[channel]),
  );
  if (configured.length === 0) {
    throw new ConfigError("There is no recipient. Set MAILX_RCPT, WEBHOOK_URL, or both.");
  }
  const channels = named.length > 0 ? named : configured;
  if (channels.includes("webhook")) webhookUrl({ settings });
  const refused = channels.includes("mail") ? recipients({ settings }).bad : [];
  for (const word of refused) log.warn(`MAILX_RCPT: "${word}" is not a mail address; no mail is sent to it.`);
  return channels;
}

interface Text {
  readonly subject: string;
  readonly message: string;
}

function buildText({ context: { identity } }: Run, { subject, message }: Options): Text {
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

function announce({ log, settings }: Run, channel: Channel, { subject }: Text): Result {
  const to =
    channel === "mail" ? recipients({ settings }).good.join(", ") : shownUrl(webhookUrl({ settings }));
  log.info(`Dry run: the ${channel} "${subject}" would go to ${to}.`);
  return "dry-run";
}

async function send(run: Run, channel: Channel, text: Text): Promise<Result> {
  const { to, why } = channel === "mail" ? await mail(run, text) : await webhook(run, text);
  if (why === undefined) run.log.info(`The ${channel} "${text.subject}" was delivered to ${to}.`);
  else run.fail(`The ${channel} to ${to} was not delivered: ${why}`);
  return why === undefined ? "delivered" : "failed";
}

async function mail({ context, stop }: Run, { subject, message }: Text) {
  const { to, failure } = await sendMail(context, { subject, body: message }, stop);
  return { to: to.join(", "), why: failure };
}

/** A record like any other, so that a receiver need not know about tests; `test` marks it for one that does. */
async function webhook({ context, stop }: Run, text: Text) {
  const now = Date.now();
  const record = masked(
    {
      ...recordHeader(context.identity, now, now),
      exit_code: 0,
      status: "ok",
      test: "ON",
      ...text,
      hooks: [],
    },
    context.mask,
  );
  const { to, delivered, words } = await postWebhook(context, record, untilStopped(stop).signal);
  return { to, why: delivered ? undefined : `${words}.` };
}
