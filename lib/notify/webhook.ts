/**
 * The two kinds of requests about a run: its record POSTed to WEBHOOK_URL, and pings of HEALTHCHECKS_URL (of other
 * workers: HEALTHCHECKS_URL_<WORKER>) as healthchecks.io defines them, /start before the work and /<exit code> after it.
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

/**
 * Services that take a POST to such a URL for a success, whatever it says: their hosts, and the paths of those that
 * people host themselves (healthchecks, Uptime Kuma).
 */
const PING_HOSTS =
  /(^|\.)(hc-ping\.com|healthchecks\.io|cronitor\.link|nosnch\.in|deadmanssnitch\.com|heartbeat\.uptimerobot\.com|push\.statuscake\.com|cronhub\.io)$/;
const PING_PATHS = /^\/(ping\/[^/]+|api\/push\/|api\/v1\/heartbeat\/)/;

/** Why this URL should not be a webhook's; undefined when it may be one. Pure. */
export function pingServiceText(url: Url): string | undefined {
  if (!PING_HOSTS.test(url.hostname) && !PING_PATHS.test(url.pathname)) return undefined;
  return (
    `points to a ping service (${shownUrl(url)}), which takes the POST of a failed run for a success. Set ` +
    "HEALTHCHECKS_URL to it instead, and unset WEBHOOK_URL."
  );
}

/** Milliseconds that one ping may take: ten seconds, as in healthchecks.io's own examples. */
const TIMEOUT_MS = 10_000;

export interface Ping {
  /** The variable that holds the URL: see Settings.pingVariable. */
  readonly variable: string;
  /** `start`, or the exit code. */
  readonly word: string;
  /** A UUID: the same for the start and the end of a run, so that the service measures the run. */
  readonly rid: string;
  /** A few lines for a person to read at the service. */
  readonly body?: string;
}

/** Throws a ConfigError when the URL is not an http(s) URL. */
export async function ping(
  { settings }: Pick<Context, "settings">,
  { variable, word, rid, body }: Ping,
  signal: AbortSignal,
): Promise<Sent> {
  const url = httpUrl(variable, settings.fromFile(variable));
  const request = { url: pingUrl(url, word, rid), timeoutMs: TIMEOUT_MS, signal };
  const get = () => deliver({ ...request, method: "GET" });
  let sent: Delivery;
  if (body === undefined) sent = await get();
  else {
    const headers = { "content-type": "text/plain; charset=utf-8" };
    sent = await deliver({ ...request, method: "POST", headers, body });
    // A service that knows pings by GET alone gets no summary.
    if (sent.status === 405) sent = await get();
  }
  return { ...sent, ...refusalIn(sent, variable), to: shownUrl(url) };
}

/** healthchecks.io answers 200 to a ping that it throws away (its documentation, "Pinging API"). */
function refusalIn({ delivered, said = "" }: Delivery, variable: string): Partial<Delivery> {
  const [refusal] = /not found|rate[ -]?limited/i.exec(said) ?? [];
  if (!delivered || refusal === undefined) return {};
  const why = /not/i.test(refusal)
    ? `no check has the URL that ${variable} holds. Correct it`
    : "it is pinged too often. Give each worker a check of its own, or a longer schedule";
  return { delivered: false, words: `it answered 200, but says "${refusal}": ${why}` };
}

/** `https://hc.example/ping/uuid?x=1` → `https://hc.example/ping/uuid/start?x=1&rid=…`. */
export function pingUrl(url: Url, word: string, rid: string): Url {
  const pinged = new URL(url);
  pinged.pathname = `${url.pathname.replace(/\/+$/, "")}/${word}`;
  pinged.searchParams.set("rid", rid);
  return pinged;
}
