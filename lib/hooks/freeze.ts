/**
 * A hook that freezes the very file system on which its run writes is a deadlock: the run hangs in the kernel at the next
 * line of its log, where no signal reaches it, and its post-hook never thaws anything. Loaded only for a hook that
 * mentions such a command.
 */

import type { Context } from "../context.ts";
import type { Environment } from "../environment.ts";
import { accessWithin } from "../files/within.ts";
import type { Hook } from "./discover.ts";

/** What most hooks freeze, where neither their command nor BACKUP_ROOT_DIR says it. */
const USUAL = "/data";

/** The paths that the commands in a hook's text freeze, as far as they can be read off it. Pure. */
export function frozenPaths(text: string, env: Environment): string[] {
  const code = text.replace(/^\s*#.*$/gm, "");
  const commands = code.match(/\b(?:fs|xfs_)freeze\b[^\n;|&)]*/g) ?? [];
  return commands.flatMap((command) => {
    const expanded = command.replace(
      /\$\{(\w+)(?::?[-=]([^}]*))?\}|\$(\w+)/g,
      (_, name, otherwise = "", plain) => env[name ?? plain] || otherwise,
    );
    const words = expanded.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']+)/g);
    return [...words].map(([, a = "", b = "", c = ""]) => a + b + c).filter((word) => word.startsWith("/"));
  });
}

/** Why the hook must not freeze what it does: a sentence with the remedy; undefined when nothing speaks against it. */
export async function freezeText(
  { shown, freezes = "" }: Hook,
  { settings, logDir, lockDir }: Context,
): Promise<string | undefined> {
  const written = new Map([
    ["LOG_DIR", logDir],
    ["LOCK_DIR", lockDir],
  ]);
  if (settings.configured("METRICS_DIR")) written.set("METRICS_DIR", settings.text("METRICS_DIR"));
  for (const paths of [frozenPaths(freezes, settings.env), settings.lines("BACKUP_ROOT_DIR"), [USUAL]]) {
    const frozen = (await Promise.all(paths.map(deviceOf))).filter((each) => each !== undefined);
    // What the command says counts; a path that it makes of variables is taken to be the source.
    if (frozen.length === 0) continue;
    const all = await Promise.all(
      [...written].map(async ([name, path]) => ({ name, ...(await deviceOf(path)) })),
    );
    const same = all.filter(({ device }) => frozen.some((each) => each.device === device));
    const [first] = frozen.filter((each) => same.some(({ device }) => device === each.device));
    if (first === undefined) return undefined;
    const names = same.map(({ name, path }) => `${name}=${path}`).join(" and ");
    const lies = same.length === 1 ? "lies" : "lie";
    return (
      `${shown} freezes a file system (${first.path}) on which ${names} ${lies}: the run would hang there for ever, and ` +
      `nothing would thaw it. Move ${same.map(({ name }) => name).join(" and ")} to another one: a volume, a tmpfs.`
    );
  }
  return undefined;
}

/** undefined where there is nothing, or it does not answer. */
async function deviceOf(path: string): Promise<{ path: string; device: number } | undefined> {
  const { stat } = await accessWithin(path, "read");
  return stat === undefined ? undefined : { path, device: stat.dev };
}
