/** entry: the container's command. Prepares everything, has crond start the jobs, and watches over them. */

import { type VariableName, variables } from "../config/variables.ts";
import { Context, withoutOurs } from "../context.ts";
import { tellFailedStart } from "../entry/alert.ts";
import {
  banner,
  mountNfs,
  readyFolders,
  readyRepository,
  withNewNames,
  writeCrontab,
} from "../entry/start.ts";
import { watch } from "../entry/watch.ts";
import { environment } from "../environment.ts";
import { ConfigError, EXIT, Failure } from "../errors.ts";
import { complain, leaveLastWords } from "../log/stdout.ts";
import { foreground } from "../process/foreground.ts";
import { Stop } from "../process/stop.ts";
import { type Command, findLinked, type Invocation, workerNames } from "../run/command.ts";
import { readPlaces, renderCrontab } from "../schedule/schedule.ts";
import { discardEntryMark, isEntered, processMark, writeEntryMark } from "../state/alive.ts";
import { Scheduled } from "../state/schedules.ts";

const command: Command = {
  about:
    "The container's command: mounts NFS_TARGET, makes sure that the repository exists (creates a missing one), " +
    "writes the crontab, starts crond, shows the jobs' log, and ends the jobs cleanly on SIGTERM. With arguments it " +
    "runs that command instead: one of this program's, or any other.",
  flags: {},
  operands: {
    usage: "[<command> [<argument>…]]",
    help: "run this instead of the schedule: doctor, restore --list, sh …",
    least: 0,
    most: Number.POSITIVE_INFINITY,
    verbatim: true,
  },
  // It judges all that its jobs will read.
  environment: Object.keys(variables) as VariableName[],
  exits: [
    ["0", "a signal ended it and all its jobs"],
    ["1", "it could not start, or crond died: no more backups would be made"],
    ["2", "the configuration is invalid; no crontab was written"],
    ["other", "the exit code of the command that was run instead"],
  ],
  main,
};
export default command;

async function main({ operands, table, call }: Invocation): Promise<number> {
  const [name, ...words] = operands;
  const { env, warnings } = withNewNames(withoutOurs(environment));
  const isTail = name !== undefined && isTailOfLog(name, words);
  if (name !== undefined && !isTail) {
    if (findLinked(table, name) !== undefined) return call(name, words);
    complain(`entry: No schedule runs in this container: its command is ${name}. Remove it to run the jobs.`);
    const { lockDir } = new Context("entry", { env, onOddValue: () => {} });
    // Beside an entry that lives (`docker exec ... entry sh`) its own mark stays.
    if (!isEntered(lockDir)) leaveMark(lockDir, { command: name });
    return foreground(operands, { env: { ...env } }).finally(() => discardEntryMark(lockDir));
  }
  const context = new Context("entry", { env });
  const { log, settings } = context;
  const stop = new Stop(() => settings.seconds("STOP_TIMEOUT") * 1000);
  stop.install((name) => log.warn(`Received ${name}, which means nothing to entry: it goes on.`));
  try {
    return await live(context, stop, table, isTail ? [...warnings, TAIL_TEXT] : warnings);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    log.error(error.message);
    const exitCode = error.exitCode === EXIT.usage ? EXIT.usage : EXIT.failed;
    await tellFailedStart(context, stop, { message: error.message, exitCode });
    leaveLastWords(log.mask(`entry: ${error.message}`));
    return exitCode;
  }
}

const TAIL_TEXT =
  "The container's command is a tail of cron.log, as older compose files have it. It is taken as the schedule, whose " +
  "log is shown anyway. Remove the command.";

/** `tail -fn0 /var/log/cron.log`: beside it no job would ever start. */
const isTailOfLog = (name: string, words: readonly string[]): boolean =>
  /^(?:.*\/)?tail$/.test(name) &&
  words.some((word) => /^-[^-]*[fF]|^--follow/.test(word)) &&
  words.at(-1)?.endsWith("/cron.log") === true;

/** To `status --alive` a slow start is not a failed one, and another command is no schedule. */
function leaveMark(lockDir: string, more: { readonly command?: string } = {}): void {
  try {
    writeEntryMark(lockDir, { entry: processMark(), since_epoch: Math.floor(Date.now() / 1000), ...more });
  } catch {
    // readyFolders makes LOCK_DIR, or says that it cannot be written.
  }
}

async function live(
  context: Context,
  stop: Stop,
  table: Invocation["table"],
  warnings: readonly string[],
): Promise<number> {
  const { log, settings } = context;
  leaveMark(context.lockDir);
  banner(context);
  for (const warning of warnings) log.warn(warning);
  // A mistake in the schedule is found before anything is mounted or created.
  const places = readPlaces(settings);
  const crontab = renderCrontab(settings, places);
  await judgeEnvironment(context, table);
  if (stop.signal === undefined) await mountNfs(context, stop);
  if (stop.signal === undefined && settings.flag("RESTIC_CHECK_REPOSITORY_STATUS"))
    await readyRepository(context, stop);
  if (stop.signal !== undefined) {
    log.info(`Received ${stop.signal} before the first job was started.`);
    return EXIT.ok;
  }
  readyFolders(context, places);
  writeCrontab(context, crontab);
  return watch(context, stop, crontab, places);
}

/**
 * Logs what config-check finds wrong. Throws a ConfigError for what every run would fail with. A repository or a
 * password that cannot be right is left to readyRepository, where that has its turn: it ends the start with exit 1.
 */
async function judgeEnvironment({ log, settings }: Context, table: Invocation["table"]): Promise<void> {
  const { checkStart } = await import("../doctor/configuration.ts");
  const { fatal, others } = await checkStart(new Scheduled("entry", settings.env), workerNames(table));
  // The banner has said it.
  for (const { status, text } of others.filter(({ key }) => key !== "TZ"))
    if (status === "FAIL") log.error(text);
    else log.warn(text);
  const isProbed = settings.flag("RESTIC_CHECK_REPOSITORY_STATUS");
  const refused = fatal.filter(({ isAccess }) => !(isProbed && isAccess));
  if (refused.length > 0) throw new ConfigError(refused.map(({ text }) => text).join(" "));
}
