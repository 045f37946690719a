/**
 * The two kinds of requests about a run: its record POSTed to WEBHOOK_URL, and pings of HEALTHCHECKS_URL as
 * healthchecks.io defines them, /start before the work and /<exit code> after it.
 */

import type { Context } from "../context.ts";
import { ConfigError } from "../errors.ts";
import { type Delivery, deliver, httpUrl, shownUrl, type Url } from "./http.ts";

export interface Sent extends Delivery {
  /** Scheme and host of the URL. */
  readonly to: string;
}

/** Throws a ConfigError when WEBHOOK_URL is not an http(s) URL. */
export const webhookUrl = ({ settings }: Pick<Context, "settings">): Url =>
  httpUrl("WEBHOOK_URL", settings.text("WEBHOOK_URL"));

/** Throws a ConfigError when WEBHOOK_URL or WEBHOOK_HEADER_AUTH is invalid. */
export async function postWebhook(
  { settings }: Pick<Context, "settings">,
  record: object,
  signal: AbortSignal,
): Promise<Sent> {
  const url = webhookUrl({ settings });
  const sent = await deliver({
    url,
    method: "POST",
    headers: { "content-type": "application/json" },
    authorization: parseAuthorization(settings.text("WEBHOOK_HEADER_AUTH")),
    body: JSON.stringify(record),
    timeoutMs: (settings.seconds("WEBHOOK_TIMEOUT") || DEFAULT_SECONDS) * 1000,
    signal,
  });
  return { ...sent, to: shownUrl(url) };
}

/** For WEBHOOK_TIMEOUT=0: a request without a limit could delay the run for ever. */
const DEFAULT_SECONDS = 10;

/** Accepts a whole pasted header too. Throws a ConfigError, which does not repeat it, for what no header may hold. */
function parseAuthorization(text: string): string | undefined {
  const value = text.trim().replace(/^authorization:\s*/i, "");
  if (value === "") return undefined;
  if (/^[\t\x20-\x7e]*$/.test(value)) return value;
  throw new ConfigError("WEBHOOK_HEADER_AUTH holds a line break or a character that no header may hold.");
}

/** Milliseconds that one ping may take: ten seconds, as in healthchecks.io's own examples. */
const TIMEOUT_MS = 10_000;

/** `word`: `start`, or the exit code. Throws a ConfigError when HEALTHCHECKS_URL is not an http(s) URL. */
export async function ping(
  { settings }: Pick<Context, "settings">,
  word: string,
  signal: AbortSignal,
): Promise<Sent> {
  const url = httpUrl("HEALTHCHECKS_URL", settings.text("HEALTHCHECKS_URL"));
  const sent: Delivery = await deliver({
    url: pingUrl(url, word),
    method: "GET",
    timeoutMs: TIMEOUT_MS,
    signal,
  });
  return { ...sent, to: shownUrl(url) };
}

/** `https://hc.example/ping/uuid?x=1` → `https://hc.example/ping/uuid/start?x=1`. */
export function pingUrl(url: Url, word: string): Url {
  const pinged = new URL(url);
  pinged.pathname = `${url.pathname.replace(/\/+$/, "")}/${word}`;
  return pinged;
}
