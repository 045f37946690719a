/** One HTTP request that is made to arrive if it can: time-outs, two retries, redirects. */

import { ConfigError } from "../errors.ts";
import type { Stop } from "../process/stop.ts";
import { after, within } from "../process/timer.ts";
import { type Answer, failure, refused } from "./answer.ts";
import { follow, isHttp, type Request } from "./follow.ts";
import type { Url } from "./url.ts";

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
