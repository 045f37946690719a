import { describe, expect, test } from "bun:test";
import { knownNames, misspelt } from "../../lib/config/misspelt.ts";

const known = knownNames(["pre-backup", "post-backup", "pre-snapshot-export"], ["backup", "snapshot-export"]);
const meant = (name: string) => misspelt({ [name]: "1" }, known)[0]?.nearest;

test("what is known: declared names, former ones, _FILE, a phase's and a worker's own", () => {
  for (const name of [
    "HOOK_TIMEOUT",
    "SYNC_CRON",
    "WEBHOOK_URL_FILE",
    "HOOK_TIMEOUT_PRE_BACKUP",
    "HOOK_TIMEOUT_PRE_SNAPSHOT_EXPORT",
    "SNAPSHOT_EXPORT_TIMEOUT",
    "TZ",
  ]) {
    expect(known.has(name)).toBe(true);
    expect(meant(name)).toBeUndefined();
  }
  expect([...known].filter((name) => name.includes("<"))).toEqual([]);
});

describe("misspelt", () => {
  test.each<[string, string]>([
    ["HOOK_TIMEOUTS", "HOOK_TIMEOUT"],
    ["HOOKTIMEOUT", "HOOK_TIMEOUT"],
    ["HOOK_TIMEOUT_PRE_BAKUP", "HOOK_TIMEOUT_PRE_BACKUP"],
    ["HOOK_TIMEOUT_BACKUP", "HOOK_TIMEOUT_PRE_BACKUP"],
    ["BACKUPS_TIMEOUT", "BACKUP_TIMEOUT"],
    ["RESTIC_FORGET_ARG", "RESTIC_FORGET_ARGS"],
    ["RESTIC_PASWORD", "RESTIC_PASSWORD"],
    ["RESTIC_REPOSITRY", "RESTIC_REPOSITORY"],
    ["restic_tag", "RESTIC_TAG"],
    ["BACKUP_ROOT", "BACKUP_ROOT_DIR"],
    ["BACKUP_CORN", "BACKUP_CRON"],
    ["LOGDIR", "LOG_DIR"],
    ["HOST_NAME", "HOSTNAME"],
    ["WEBHOOK_ULR", "WEBHOOK_URL"],
    ["MAILX_RCTP", "MAILX_RCPT"],
    ["NOCOLOR", "NO_COLOR"],
  ])("%s → %s", (name, wanted) => expect(meant(name)).toBe(wanted));
});

describe("another program's variable", () => {
  test.each(
    (
      "PATH HOME PWD OLDPWD SHLVL _ TERM USER LOGNAME LANG LC_ALL HOSTTYPE MAIL EDITOR LINES COLUMNS TMP TEMP " +
      "NO_PROXY HTTP_PROXY https_proxy WORK_DIR DATA_DIR LOG_LEVEL LOG_FILE LOCK_FILE DEBUG FORCE_COLOR CI " +
      "KUBERNETES_SERVICE_HOST KUBERNETES_PORT_443_TCP_ADDR MYSQL_ROOT_PASSWORD POSTGRES_PASSWORD SLACK_WEBHOOK_URL " +
      "XDG_CACHE_HOME GOPATH PYTHONPATH NODE_ENV RBH_RUN_ID RBH_LOCK " +
      "RESTIC_HOST RESTIC_PACK_SIZE RESTIC_FROM_PASSWORD RESTIC_FROM_REPOSITORY RESTIC_KEY_HINT RESTIC_PROGRESS_FPS " +
      "RESTIC_READ_CONCURRENCY RESTIC_FEATURES RESTIC_TLS_CLIENT_CERT RCLONE_CONFIG_PASS RCLONE_BWLIMIT " +
      "AWS_ACCESS_KEY_ID AWS_DEFAULT_REGION B2_ACCOUNT_KEY OS_AUTH_URL"
    ).split(" "),
  )("%s is left alone", (name) => expect(meant(name)).toBeUndefined());
});

test("they come sorted, each once, and empty values count too", () => {
  expect(misspelt({ RESTIC_TAGS: "", HOOKS_DIRS: "x", PATH: "/bin" }, known)).toEqual([
    { name: "HOOKS_DIRS", nearest: "HOOKS_DIR" },
    { name: "RESTIC_TAGS", nearest: "RESTIC_TAG" },
  ]);
});
