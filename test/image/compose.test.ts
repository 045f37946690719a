import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { YAML } from "bun";
import { variables } from "../../lib/config/variables.ts";
import { parseCron } from "../../lib/schedule/cron.ts";
import { parseDuration } from "../../lib/text.ts";

const image = join(import.meta.dir, "../../lib/image");
// biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects
const compose: any = YAML.parse(readFileSync(join(image, "compose.yml"), "utf8"));
const { backup } = compose.services;

/** The keys of a service as the Compose specification has them (its "services" chapter), those used here. */
const KEYS = [
  "build",
  "cap_add",
  "cap_drop",
  "environment",
  "healthcheck",
  "hostname",
  "image",
  "read_only",
  "restart",
  "secrets",
  "security_opt",
  "stop_grace_period",
  "tmpfs",
  "volumes",
];

test("only keys of the Compose specification; volumes and secrets are declared", () => {
  expect(Object.keys(compose).sort()).toEqual(["secrets", "services", "volumes"]);
  expect(Object.keys(backup).sort()).toEqual(KEYS);
  expect(backup.secrets.every((name: string) => name in compose.secrets)).toBe(true);
  const named = backup.volumes
    .map((each: string) => each.split(":")[0])
    .filter((source: string) => /^\w+$/.test(source));
  expect(named).toEqual(Object.keys(compose.volumes));
});

test("every variable is one that the program reads, with a value that makes sense", () => {
  for (const [name, value] of Object.entries<string>(backup.environment)) {
    expect(Object.keys(variables)).toContain(name);
    if (name.endsWith("_CRON")) expect(parseCron(value).notes).toEqual([]);
  }
  expect(parseDuration(backup.stop_grace_period)).toBeGreaterThan(
    parseDuration(backup.environment.STOP_TIMEOUT)!,
  );
  expect(backup.environment.RESTIC_PASSWORD).toBeUndefined();
});

test("the health check asks for the schedule, not for how runs ended", () => {
  expect(backup.healthcheck.test).toEqual(["CMD", "/bin/status", "--alive"]);
});

test("with a read-only root, everything that is written has its place", () => {
  const places = [
    ...backup.tmpfs,
    ...backup.volumes.map((each: string) => each.replace(/^.*?:(?=\/)/, "")),
  ].map((each: string) => each.split(":")[0]);
  for (const path of [
    "/tmp",
    "/var/run",
    "/var/log",
    "/var/spool/cron/crontabs",
    "/cache",
    "/metrics",
    "/restore",
  ])
    expect(places).toContain(path);
});

test("what is restored is on a disk of the host: docker cp copies nothing out of a tmpfs", () => {
  expect(backup.tmpfs.filter((each: string) => each.startsWith("/restore"))).toEqual([]);
  expect(backup.volumes).toContainEqual(expect.stringMatching(/^\$\{RESTORE:-\.\/[^}]+\}:\/restore$/));
});
