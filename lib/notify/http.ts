/**
 * One HTTP request that is made to arrive if it can: time-outs, two retries, redirects.
 *
 * One HTTP request along its redirects.
 *
 * What an answer, or its absence, means: in our own words, for an error's own text may hold the URL. Pure.
 */

import { version } from "../environment.ts";
import { ConfigError, errnoOf } from "../errors.ts";
import type { Stop } from "../process/stop.ts";
import { after, within } from "../process/timer.ts";

export interface Delivery {
  readonly delivered: boolean;
  readonly attempts: number;
  /** `200` when delivered; else why not, for use inside a sentence. */
  readonly words: string;
}

/** Pauses before the second and the third attempt (records.md), in milliseconds. */
const PAUSES_MS = [1000, 2000];
/** The URL, if it is one that we may call. Throws a ConfigError, which does not repeat it. */
export function httpUrl(name: string, text: string): Url {
  const url = URL.parse(text.trim());
  if (url === null || !isHttp(url)) {
    throw new ConfigError(`${name} is no http:// or https:// URL. Correct it, or unset it.`);
  }
  return url;
}

/** What may be shown of a URL: scheme and host. */
export const shownUrl = ({ protocol, host }: Url): string => `${protocol}//${host}`;

/** Aborts when the run is told to stop, or by its owner. */
export function untilStopped(stop: Stop): AbortController {
  const controller = new AbortController();
  stop.listen(() => controller.abort("the run was told to stop"));
  return controller;
}

/** Throws nothing. */
export async function deliver(request: Request): Promise<Delivery> {
  for (let attempts = 1; ; attempts++) {
    const { ok, again, words } = await attempt(request);
    const pause = PAUSES_MS[attempts - 1];
    if (ok || !again || pause === undefined) return { delivered: ok, attempts, words };
    if (!(await paused(pause, request.signal))) {
      return { delivered: false, attempts, words: `${words}, and ${givenUp(request.signal)}` };
    }
  }
}

async function attempt(request: Request): Promise<Answer> {
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
    return await follow(request, controller.signal);
  } catch (error) {
    if (request.signal.aborted) return refused(givenUp(request.signal));
    if (late) return { ok: false, words: `no answer came within ${request.timeoutMs / 1000}s`, again: true };
    return failure(error);
  } finally {
    cancel();
    request.signal.removeEventListener("abort", abort);
    abort();
  }
}

/** False when it was cut short. */
async function paused(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  return !(await within(ms, aborted));
}

const givenUp = ({ reason }: AbortSignal): string => `it was given up, because ${String(reason)}`;

export interface Request {
  readonly url: Url;
  readonly method: "POST" | "GET";
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent to the URL's own host only. */
  readonly authorization?: string | undefined;
  readonly body?: string;
  /** Milliseconds for one attempt, redirects and all. */
  readonly timeoutMs: number;
  /** Ends it at once, wherever it is; its reason completes the words "it was given up, because". */
  readonly signal: AbortSignal;
}

const REDIRECTS_MOST = 5;
/** What an answer says after its status is of no use to us; a polite client reads a little of it all the same. */
const BODY_MOST_BYTES = 65_536;
const BODY_MOST_MS = 500;

/** One attempt, along its redirects. Throws what fetch does. */
export async function follow(request: Request, signal: AbortSignal): Promise<Answer> {
  let { url, method, body } = request;
  let authorization = request.authorization ?? basicOf(url);
  for (let hops = 0; hops <= REDIRECTS_MOST; hops++) {
    const response = await fetch(bare(url), {
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
    await readALittle(response);
    const { status } = response;
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(status) || location === null) return answerOf(status);
    const next = URL.parse(location, url.href);
    if (next === null || !isHttp(next)) return refused(`it redirects (${status}) to what is no http(s) URL`);
    if (url.protocol === "https:" && next.protocol === "http:") {
      return refused(`it redirects (${status}) from https to http, where everybody can read along`);
    }
    if (!isSameHost(url, next)) authorization = undefined;
    if (status === 303) [method, body] = ["GET", undefined];
    url = next;
  }
  return refused(`it redirects more than ${REDIRECTS_MOST} times`);
}

/** To the same host by name, and to the same service of it: only from http to https the port may change. */
function isSameHost(from: Url, to: Url): boolean {
  const upgraded =
    from.protocol === "http:" && to.protocol === "https:" && from.port === "" && to.port === "";
  return (
    from.hostname === to.hostname && ((from.protocol === to.protocol && from.port === to.port) || upgraded)
  );
}

export const isHttp = ({ protocol }: Url): boolean => protocol === "http:" || protocol === "https:";

/** `https://user:password@host/`, as curl understands it. */
function basicOf({ username, password }: Url): string | undefined {
  if (username === "" && password === "") return undefined;
  return `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString("base64")}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone percent sign: it was meant as it stands.
    return text;
  }
}

function bare(url: Url): Url {
  const copy = new URL(url);
  copy.username = "";
  copy.password = "";
  copy.hash = "";
  return copy;
}

async function readALittle({ body }: Response): Promise<void> {
  const reader = body?.getReader();
  if (reader === undefined) return;
  const read = async () => {
    for (let bytes = 0; bytes < BODY_MOST_BYTES; ) {
      const { value, done } = await reader.read();
      if (done) return;
      bytes += value.length;
    }
  };
  // A reset in mid-body is no failure: the status had said all that matters.
  await within(BODY_MOST_MS, read());
  await reader.cancel().catch(() => {});
}

/** What one attempt came to. */
export interface Answer {
  readonly ok: boolean;
  readonly words: string;
  readonly again: boolean;
}

/** From the status of an HTTP answer. */
export function answerOf(status: number): Answer {
  if (status >= 200 && status < 300) return { ok: true, words: String(status), again: false };
  const hint =
    status === 401 || status === 403
      ? " (its authorization is wrong or missing)"
      : status === 404 || status === 410
        ? " (it does not know this path)"
        : "";
  return { ok: false, words: `it answered ${status}${hint}`, again: status === 429 || status >= 500 };
}

/** No second attempt would change it. */
export const refused = (words: string): Answer => ({ ok: false, words, again: false });

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was closed before an answer had come",
  ENOTFOUND: "its host name is not known",
  EAI_AGAIN: "its host name cannot be looked up just now",
  EHOSTUNREACH: "its host cannot be reached",
  ENETUNREACH: "its network cannot be reached",
  EPROTO: "the TLS handshake failed",
  Malformed_HTTP_Response: "its answer was no HTTP",
};

/** From what fetch has thrown. */
export function failure(error: unknown): Answer {
  const code = errnoOf(error) ?? "";
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) {
    const remedy = "Name the CA's file in NODE_EXTRA_CA_CERTS, or correct the certificate";
    return refused(`its TLS certificate is not trusted (${code}). ${remedy}`);
  }
  const plain = /^[A-Za-z_]{1,60}$/.test(code) ? `the request failed (${code})` : "the request failed";
  return { ok: false, words: REASONS[code] ?? plain, again: true };
}

/** The type of `new URL()`, under the types of Bun and of Deno alike. */
export type Url = InstanceType<typeof URL>;
