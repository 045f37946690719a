/** The channels: are their URLs such that a failure can arrive? Nothing is sent; notify-test does that. */

import type { Settings } from "../config/settings.ts";
import { declarations } from "../config/variables.ts";
import { ConfigError } from "../errors.ts";
import { isPingUrl } from "../mask.ts";
import { httpUrl, type Url } from "../notify/http.ts";
import { pingServiceText } from "../notify/webhook.ts";
import { CannotStart, resolveProgram } from "../process/spawn.ts";
import { type Check, fail, warn } from "./checks.ts";

export function checkChannels(settings: Settings): Check[] {
  const names = Object.keys(settings.env).map((name) => name.replace(/_FILE$/, ""));
  const pings = [...new Set(names)].filter(isPingUrl).sort();
  return [...checkWebhook(settings), ...pings.flatMap((name) => checkUrl(settings, name).checks)];
}

/** Needs the image's own sendmail. */
export function checkSendmail(settings: Settings): Check[] {
  if (!settings.configured("MAILX_RCPT")) return [];
  try {
    resolveProgram("sendmail", settings.env.PATH);
    return [];
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    const remedy = "Install msmtp or another sendmail.";
    return [warn("MAILX_RCPT", `no mail can be sent: ${error.message} ${remedy}`)];
  }
}

/** A value given twice, or a file that cannot be read, of a name that is declared: values.ts says that. */
function checkUrl(settings: Settings, name: string): { url?: Url; checks: Check[] } {
  let text: string;
  try {
    text = settings.fromFile(name);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { checks: Object.hasOwn(declarations, name) ? [] : [fail(name, error.message)] };
  }
  if (text === "") return { checks: [] };
  try {
    return { url: httpUrl(name, text), checks: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { checks: [fail(name, error.message)] };
  }
}

function checkWebhook(settings: Settings): Check[] {
  const { url, checks } = checkUrl(settings, "WEBHOOK_URL");
  const odd = url && pingServiceText(url);
  return odd === undefined ? checks : [warn("WEBHOOK_URL", odd)];
}
