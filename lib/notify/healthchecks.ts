/** Pings HEALTHCHECKS_URL: /start before the work, /<exit code> after it, as healthchecks.io has it. */

import { type Delivery, deliver, httpUrl, shownUrl } from "./request.ts";
import type { NotifyScene } from "./scene.ts";
import type { Url } from "./url.ts";
import type { Sent } from "./webhook.ts";

/** Milliseconds that one ping may take: healthchecks.io's own examples give it ten seconds. */
const TIMEOUT_MS = 10_000;

/** `word`: start, or the exit code. Throws a ConfigError when HEALTHCHECKS_URL is no URL. */
export async function ping(
  { settings }: Pick<NotifyScene, "settings">,
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
