/** Is the repository there? A missing one is created; any other failure ends the start. */

import { ConfigError, EXIT, Failure } from "../errors.ts";
import { type Answer, ask } from "../process/ask.ts";
import { type Access, accessOf } from "../restic/access.ts";
import { probeRepository } from "../restic/probe.ts";
import type { Start } from "./scene.ts";

/** Creating one takes a few requests more; some object stores are slow at the first. */
const INIT_MS = 120_000;

/** Throws a Failure that says why the repository cannot be used. */
export async function readyRepository(start: Start): Promise<void> {
  const { log, stop, env } = start;
  const access = knownAccess(start);
  const verdict = await probeRepository(access, env, stop);
  if (stop.signal !== undefined) return;
  if (verdict.status === "ok") log.info(`The repository ${access.shown} is there and can be opened.`);
  else if (verdict.status === "missing") await create(start, access);
  else throw new Failure(verdict.message, EXIT.failed);
}

/** To an orchestrator a repository that is not named is one that cannot be used: exit 1, as for all others. */
function knownAccess({ log, settings }: Start): Access {
  try {
    return accessOf(settings, (message) => log.warn(message));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new Failure(error.message, EXIT.failed);
  }
}

async function create(start: Start, access: Access): Promise<void> {
  const { log, settings, stop } = start;
  log.info(`There is no repository at ${access.shown} yet; it is created.`);
  const answer = await restic(start, access, ["init", ...settings.words("RESTIC_INIT_ARGS")], INIT_MS);
  for (const line of linesOf(answer)) log.childLine("restic", line);
  if (stop.signal !== undefined || (answer.code === EXIT.ok && answer.cause === undefined)) return;
  const how = answer.cause === undefined ? `(exit ${answer.code})` : `in ${INIT_MS / 1000} s`;
  throw new Failure(
    `The repository ${access.shown} could not be created ${how}. restic's own words stand above.`,
    EXIT.failed,
  );
}

const restic = ({ env, stop }: Start, access: Access, words: readonly string[], timeoutMs: number) =>
  ask(["restic", ...access.words, ...words], { env: { ...env, ...access.env }, timeoutMs, stop });

const linesOf = ({ stdout, stderr }: Answer) =>
  `${stdout}\n${stderr}`.split("\n").filter((line) => line.trim());
