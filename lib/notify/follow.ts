/** One HTTP request along its redirects. */

import { within } from "../process/timer.ts";
import { version } from "../release.ts";
import { type Answer, answerOf, refused } from "./answer.ts";
import type { Url } from "./url.ts";

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
