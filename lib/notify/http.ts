/**
 * Delivers one HTTP request if that is possible: time-outs, two retries, redirects on the same host. Throws nothing for
 * what the network does. What went wrong is reported in our own words, as an error's own text may hold the URL.
 */

import { version } from "../environment.ts";
import { ConfigError, errnoOf } from "../errors.ts";
import { after, type Stop, stopBudget, within } from "../process/stop.ts";
import { decodePercent } from "../text.ts";

/** The type of `new URL()`, the same in the types of Bun and of Deno. */
export type Url = InstanceType<typeof URL>;

export interface Request {
  readonly url: Url;
  readonly method: "POST" | "GET";
  readonly headers?: Readonly<Record<string, string>>;
  readonly authorization?: string | undefined;
  readonly body?: string;
  /** Milliseconds for one attempt, including its redirects. */
  readonly timeoutMs: number;
  /** Aborts the delivery at once, at any point; its reason completes the words "it was given up, because". */
  readonly signal: AbortSignal;
}

export interface Delivery {
  readonly delivered: boolean;
  readonly attempts: number;
  /** `200` when delivered; else why not, for use inside a sentence. */
  readonly words: string;
  /** HTTP's status of the last answer, and the beginning of its body. */
  readonly status?: number | undefined;
  readonly said?: string | undefined;
}

/** The URL, if it is one that we may call. Throws a ConfigError, which does not repeat it. */
export function httpUrl(name: string, text: string): Url {
  const url = URL.parse(text.trim());
  if (url === null || !isHttp(url)) {
    throw new ConfigError(`${name} is not an http:// or https:// URL. Correct it, or unset it.`);
  }
  return url;
}

const isHttp = ({ protocol }: Url): boolean => protocol === "http:" || protocol === "https:";

/** What may be shown of a URL: scheme and host. */
export const shownUrl = ({ protocol, host }: Url): string => `${protocol}//${host}`;

/** Aborts `graceMs` milliseconds after the run begins to stop, at a second signal at once, or when its owner aborts it. */
export function untilStopped(stop: Stop, graceMs = 0): AbortController {
  const controller = new AbortController();
  const abort = () => controller.abort("the run is stopping");
  stop.listen(() => {
    const ms = Math.min(graceMs, stop.msUntil(stopBudget.ping.killAt));
    if (ms > 0) after(ms, abort);
    else abort();
  });
  return controller;
}

/** Pauses before the second and the third attempt (records.md), in milliseconds. */
const PAUSES_MS = [1000, 2000];

/** Makes up to three attempts. Throws nothing. */
export async function deliver(request: Request): Promise<Delivery> {
  for (let attempts = 1; ; attempts++) {
    const { ok, retry, words, status, said } = await attempt(request);
    const pause = PAUSES_MS[attempts - 1];
    if (ok || !retry || pause === undefined) return { delivered: ok, attempts, words, status, said };
    if (!(await paused(pause, request.signal))) {
      return { delivered: false, attempts, words: `${words}, and ${givenUp(request.signal)}` };
    }
  }
}

/** The result of one attempt. */
interface Attempt {
  readonly ok: boolean;
  readonly words: string;
  readonly retry: boolean;
  readonly status?: number;
  readonly said?: string;
}

const failed = (words: string): Attempt => ({ ok: false, words, retry: true });
/** A failure that no retry would change. */
const refused = (words: string): Attempt => ({ ok: false, words, retry: false });

async function attempt(request: Request): Promise<Attempt> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (request.signal.aborted) return refused(givenUp(request.signal));
  request.signal.addEventListener("abort", abort, { once: true });
  let late = false;
  const cancel = after(request.timeoutMs, () => {
    late = true;
    abort();
  });
  try {
    return await followRedirects(request, controller.signal);
  } catch (error) {
    if (request.signal.aborted) return refused(givenUp(request.signal));
    if (late) return failed(`no answer came within ${request.timeoutMs / 1000}s`);
    return explainError(error);
  } finally {
    cancel();
    request.signal.removeEventListener("abort", abort);
    abort();
  }
}

/** False when the pause was cut short. */
async function paused(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  return !(await within(ms, aborted));
}

const givenUp = ({ reason }: AbortSignal): string => `it was given up, because ${String(reason)}`;

const REDIRECTS_MOST = 5;

/** Throws what fetch throws. */
async function followRedirects(request: Request, signal: AbortSignal): Promise<Attempt> {
  let { url, method, body } = request;
  const authorization = request.authorization ?? basicAuthorization(url);
  for (let hops = 0; hops <= REDIRECTS_MOST; hops++) {
    const response = await fetch(withoutUserinfo(url), {
      method,
      redirect: "manual",
      signal,
      headers: {
        "user-agent": `restic-backup-helper/${version}`,
        ...request.headers,
        ...(authorization === undefined ? {} : { authorization }),
      },
      ...(body === undefined ? {} : { body }),
    });
    const said = await readSome(response);
    const { status } = response;
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(status) || location === null)
      return { ...explainStatus(status), status, said };
    const next = URL.parse(location, url.href);
    if (next === null || !isHttp(next)) {
      return refused(`it redirects (${status}) to something that is not an http(s) URL`);
    }
    if (url.protocol === "https:" && next.protocol === "http:") {
      return refused(`it redirects (${status}) from https to http, where anyone on the way can read it`);
    }
    if (!isSameService(url, next)) {
      return refused(
        `it redirects (${status}) to another host, ${shownUrl(next)}, which gets nothing. ` +
          "If that host is to get it, set the URL to it",
      );
    }
    // After 301 and 302 browsers ask with GET, which would count as delivered without the record.
    if (status === 303) [method, body] = ["GET", undefined];
    url = next;
  }
  return refused(`it redirects more than ${REDIRECTS_MOST} times`);
}

/** On another port of a host listens another program, maybe another user's. Only http's default may become https's. */
function isSameService(from: Url, to: Url): boolean {
  const upgraded =
    from.protocol === "http:" && to.protocol === "https:" && from.port === "" && to.port === "";
  return (
    from.hostname === to.hostname && ((from.protocol === to.protocol && from.port === to.port) || upgraded)
  );
}

/** From `https://user:password@host/`, as curl understands it. */
function basicAuthorization({ username, password }: Url): string | undefined {
  if (username === "" && password === "") return undefined;
  return `Basic ${Buffer.from(`${decodePercent(username)}:${decodePercent(password)}`).toString("base64")}`;
}

function withoutUserinfo(url: Url): Url {
  const copy = new URL(url);
  copy.username = "";
  copy.password = "";
  copy.hash = "";
  return copy;
}

/** A polite client reads a little of the body; of what it says the beginning is kept. */
const SAID_MOST = 500;
const BODY_MOST_BYTES = 65_536;
const BODY_MOST_MS = 500;

async function readSome({ body }: Response): Promise<string> {
  const reader = body?.getReader();
  if (reader === undefined) return "";
  let said = "";
  const read = async () => {
    for (let bytes = 0; bytes < BODY_MOST_BYTES; ) {
      const { value, done } = await reader.read();
      if (done) return;
      bytes += value.length;
      if (said.length < SAID_MOST) said += Buffer.from(value).toString("utf8");
    }
  };
  // A connection reset within the body is not a failure: the status has said all that matters.
  await within(BODY_MOST_MS, read());
  await reader.cancel().catch(() => {});
  return said.slice(0, SAID_MOST);
}

function explainStatus(status: number): Attempt {
  if (status >= 200 && status < 300) return { ok: true, words: String(status), retry: false };
  const hint =
    status === 401 || status === 403
      ? " (its authorization is wrong or missing)"
      : status === 404 || status === 410
        ? " (it does not know this path)"
        : "";
  return { ok: false, words: `it answered ${status}${hint}`, retry: status === 429 || status >= 500 };
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was closed before an answer came",
  ENOTFOUND: "its host name is not known",
  EAI_AGAIN: "its host name cannot be looked up at the moment",
  EHOSTUNREACH: "its host cannot be reached",
  ENETUNREACH: "its network cannot be reached",
  EPROTO: "the TLS handshake failed",
  Malformed_HTTP_Response: "its answer was not HTTP",
};

/** Explains what fetch has thrown. */
function explainError(error: unknown): Attempt {
  const code = errnoOf(error) ?? "";
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) {
    const remedy = "Name the CA's file in NODE_EXTRA_CA_CERTS, or correct the certificate";
    return refused(`its TLS certificate is not trusted (${code}). ${remedy}`);
  }
  const fallback = /^[A-Za-z_]{1,60}$/.test(code) ? `the request failed (${code})` : "the request failed";
  return failed(REASONS[code] ?? fallback);
}
