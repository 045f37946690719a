import { describe, expect, test } from "bun:test";
import { knownNames } from "../../lib/config/misspelt.ts";
import { Settings } from "../../lib/config/settings.ts";
import { buildEntries, effectiveEnvironment, shown } from "../../lib/doctor/effective-environment.ts";

const known = knownNames(["pre-backup"], ["backup"]);
const entries = (env: Record<string, string>, repository = "/mnt/restic") =>
  buildEntries(new Settings(env, () => {}), known, repository);
const entry = (name: string, env: Record<string, string>, repository?: string) =>
  entries(env, repository).find((each) => each.name === name);

describe("the value that counts", () => {
  test.each<[string, Record<string, string>, object | undefined]>([
    ["RESTIC_TAG", {}, { value: "automated", from: "default" }],
    ["RESTIC_TAG", { RESTIC_TAG: "" }, { value: "automated", from: "default" }],
    ["RESTIC_TAG", { RESTIC_TAG: "x" }, { value: "x" }],
    ["REPLICATE_CRON", { SYNC_CRON: "@daily" }, { value: "@daily", from: "from SYNC_CRON" }],
    ["REPLICATE_CRON", { SYNC_CRON: "@daily", REPLICATE_CRON: "@hourly" }, { value: "@hourly" }],
    ["CHECK_CRON", {}, { value: undefined }],
    ["HOOK_TIMEOUT_PRE_BACKUP", { HOOK_TIMEOUT_PRE_BACKUP: "5" }, { value: "5" }],
    ["BACKUP_TIMEOUT", { BACKUP_TIMEOUT: "6h" }, { value: "6h" }],
    ["AWS_DEFAULT_REGION", { AWS_DEFAULT_REGION: "eu" }, { value: "eu" }],
    ["https_proxy", { https_proxy: "http://p:1" }, { value: "http://p:1" }],
    ["PATH", { PATH: "/bin" }, undefined],
    ["WEBHOOK_URL", { WEBHOOK_URL_FILE: "/nowhere" }, { value: "***", from: "from WEBHOOK_URL_FILE" }],
  ])("%s of %j", (name, env, wanted) => {
    const found = entry(name, env);
    expect(found).toEqual(wanted === undefined ? undefined : ({ name, ...wanted } as never));
  });

  test("RESTIC_REPOSITORY_FILE wins", () => {
    const env = { RESTIC_REPOSITORY: "/a", RESTIC_REPOSITORY_FILE: "/file" };
    expect(entry("RESTIC_REPOSITORY", env, "/from-file")).toEqual({
      name: "RESTIC_REPOSITORY",
      value: "/from-file",
      from: "from RESTIC_REPOSITORY_FILE",
    });
  });
});

describe("what may be shown", () => {
  test.each<[string, string, string]>([
    ["RESTIC_PASSWORD", "pw", "***"],
    ["RESTIC_PASSWORD_COMMAND", "pass show restic", "***"],
    ["RESTIC_PASSWORD_FILE", "/run/secrets/restic", "/run/secrets/restic"],
    ["RESTIC_FROM_PASSWORD", "pw", "***"],
    ["RESTIC_REPOSITORY", "rest:https://u:p/w@host/x", "rest:https://u:***@host/x"],
    ["WEBHOOK_URL", "https://hooks.example.org/T0/B0/xyz", "https://hooks.example.org/***"],
    ["HEALTHCHECKS_URL", "https://u:p@hc.example.org/uuid", "https://hc.example.org/***"],
    ["HEALTHCHECKS_URL_RESTORE_TEST", "https://hc.example.org/uuid", "https://hc.example.org/***"],
    ["HEALTHCHECKS_URL_CHECK_FILE", "/run/secrets/check", "/run/secrets/check"],
    ["WEBHOOK_HEADER_AUTH", "Bearer x", "***"],
    ["AWS_SECRET_ACCESS_KEY", "x", "***"],
    ["AWS_ACCESS_KEY_ID", "AKIA", "AKIA"],
    ["B2_ACCOUNT_KEY", "x", "***"],
    ["OS_PASSWORD", "x", "***"],
    ["RCLONE_CONFIG_PASS", "x", "***"],
    ["RCLONE_CONFIG_NAS_PASS", "x", "***"],
    ["AZURE_ACCOUNT_SAS", "x", "***"],
    ["RCLONE_HEADER", "Authorization: x", "***"],
    ["RCLONE_CONFIG", "/config/rclone.conf", "/config/rclone.conf"],
    ["GOOGLE_APPLICATION_CREDENTIALS_FILE", "/key.json", "/key.json"],
  ])("%s=%s: %s", (name, value, wanted) => expect(shown(name, value)).toBe(wanted));
});

test("names in a column, where a value comes from, and what is not set", () => {
  const { lines = [], json } = effectiveEnvironment(entries({ RESTIC_TAG: "x", BACKUP_ROOT_DIR: "/a\n/b" }));
  const line = (name: string) => lines.find((each) => each.startsWith(`${name} `));
  expect(line("RESTIC_TAG")).toBe(`${"RESTIC_TAG".padEnd(30)}  x`);
  expect(line("HOOKS_DIR")).toBe(`${"HOOKS_DIR".padEnd(30)}  /hooks  (default)`);
  expect(line("BACKUP_ROOT_DIR")).toBe(`${"BACKUP_ROOT_DIR".padEnd(30)}  /a\\n/b`);
  expect(lines.join(" ")).toMatch(/Not set: RESTIC_REPOSITORY_FILE,.* CHECK_CRON,/);
  expect(json).toMatchObject({
    RESTIC_TAG: "x",
    BACKUP_ROOT_DIR: "/a\n/b",
    HOOKS_DIR: "/hooks",
    CHECK_CRON: null,
  });
});
