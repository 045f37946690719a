/** The Kubernetes objects: rendered by kustomize, and held against the API's published types. */

import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { YAML } from "bun";
import { table } from "../../lib/workers/index.ts";

const root = join(import.meta.dir, "../..");
const folder = join(root, "lib/image/kubernetes");
/** Below the project, so that the compiler finds the types of kubernetes-types. */
mkdirSync(join(root, "dist"), { recursive: true });
const scratch = mkdtempSync(join(root, "dist/kubernetes-"));
afterAll(() => rmSync(scratch, { recursive: true }));

// biome-ignore lint/suspicious/noExplicitAny: what it is, the compiler is about to say
type Objects = any;

/** The module of kubernetes-types that an apiVersion's kinds are in. */
const moduleOf = (apiVersion: string) => (apiVersion === "v1" ? "core/v1" : apiVersion);

/** What tsc says of objects taken for their kinds: unknown fields, missing ones, values of another type. */
function compilerOn(objects: readonly Objects[]): string {
  const lines = objects.map(({ apiVersion, kind, ...rest }, at) => {
    const type = `import("kubernetes-types/${moduleOf(apiVersion)}").${kind}`;
    return `export const object${at}: ${type} = ${JSON.stringify({ apiVersion, kind, ...rest }, null, 1)};`;
  });
  const file = join(scratch, "objects.ts");
  writeFileSync(file, lines.join("\n"));
  const { stdout } = Bun.spawnSync(
    [
      join(root, "node_modules/.bin/tsc"),
      "--noEmit",
      "--strict",
      "--skipLibCheck",
      "--module",
      "preserve",
      "--types",
      "",
      "--ignoreConfig",
      file,
    ],
    { cwd: root },
  );
  return stdout.toString();
}

const sources = (["deployment", "cronjobs", "base"] as const).flatMap((shape) =>
  readdirSync(join(folder, shape))
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => join(folder, shape, name)),
);
const objectsOf = (paths: readonly string[]): Objects[] =>
  paths
    .filter((path) => !path.endsWith("kustomization.yaml"))
    .map((path) => YAML.parse(readFileSync(path, "utf8")));
const podsOf = (object: Objects): Objects[] =>
  [object.spec?.template?.spec, object.spec?.jobTemplate?.spec.template.spec].filter(Boolean);

test("every object has only fields that the API has, with values of their types", () => {
  const objects = objectsOf(sources);
  expect(objects.map(({ kind }) => kind).sort()).toEqual([
    "CronJob",
    "CronJob",
    "CronJob",
    "Deployment",
    "PersistentVolumeClaim",
  ]);
  expect(compilerOn(objects)).toBe("");
}, 60_000);

test("the compiler would say so if it were not so", () => {
  const [backup] = objectsOf([join(folder, "cronjobs/backup.yaml")]);
  backup.spec.jobTemplate.spec.podFailurePolicies = {};
  backup.spec.concurrencyPolicy = 3;
  const said = compilerOn([backup]);
  expect(said).toContain("podFailurePolicies");
  expect(said).toContain("Type 'number' is not assignable to type 'string'");
}, 60_000);

describe("what the containers need of us", () => {
  const pods = objectsOf(sources).flatMap(podsOf);
  const containers: Objects[] = pods.flatMap((pod) => [...(pod.initContainers ?? []), ...pod.containers]);

  test("commands are commands of ours", () => {
    const names = table.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
    const called = containers.flatMap(({ command = [], livenessProbe, readinessProbe }) =>
      [...command, ...(livenessProbe?.exec.command ?? []), ...(readinessProbe?.exec.command ?? [])].filter(
        (word: string) => word.startsWith("/bin/"),
      ),
    );
    expect(called).toContain("/bin/backup");
    const missing = called.filter((path: string) => !names.includes(path.slice(5)));
    expect(missing).toEqual([]);
  });

  test("the host of the snapshots is not one that everybody copies", () => {
    for (const { name, env = [] } of pods.flatMap((pod) => pod.containers)) {
      const at = (variable: string) => env.findIndex((each: Objects) => each.name === variable);
      expect([name, env[at("HOSTNAME")]?.value]).toEqual([name, "backup-$(NAMESPACE)"]);
      expect(env[at("NAMESPACE")]?.valueFrom.fieldRef.fieldPath).toBe("metadata.namespace");
      // Kubernetes expands what it has met before.
      expect(at("NAMESPACE")).toBeLessThan(at("HOSTNAME"));
    }
  });

  test("what restarts a container asks for its schedule, not for how its runs ended", () => {
    const probes = containers.flatMap(({ livenessProbe }) => livenessProbe?.exec.command ?? []);
    expect(probes).toEqual(["/bin/status", "--alive"]);
  });

  test("hooks are executable, the grace period is longer than STOP_TIMEOUT", () => {
    const stop = 50;
    expect(readFileSync(join(folder, "base/kustomization.yaml"), "utf8")).toContain(`STOP_TIMEOUT=${stop}`);
    for (const pod of pods) expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(stop);
    for (const path of sources.filter((path) => /volumes:/.test(readFileSync(path, "utf8"))))
      expect([relative(folder, path), readFileSync(path, "utf8")]).toEqual([
        relative(folder, path),
        expect.stringMatching(/defaultMode: 0755\n/),
      ]);
  });

  test("a CronJob knows our exit codes, does not overlap, and is bounded", () => {
    for (const { kind, metadata, spec } of objectsOf(sources)) {
      if (kind !== "CronJob") continue;
      const { name } = metadata;
      const job = spec.jobTemplate.spec;
      expect([name, spec.concurrencyPolicy, job.template.spec.restartPolicy]).toEqual([
        name,
        "Forbid",
        "Never",
      ]);
      expect(job.activeDeadlineSeconds).toBeGreaterThan(3600);
      const actionOf = (code: number) =>
        job.podFailurePolicy.rules.find((rule: Objects) => rule.onExitCodes?.values.includes(code))?.action;
      expect([75, 11, 2, 10, 12, 1, 3].map(actionOf)).toEqual([
        "FailJob",
        "Ignore",
        "FailJob",
        "FailJob",
        "FailJob",
        undefined,
        undefined,
      ]);
      // A rule is for a container by its name.
      for (const { onExitCodes } of job.podFailurePolicy.rules)
        if (onExitCodes) expect(onExitCodes.containerName).toBe(job.template.spec.containers[0].name);
      expect(job.template.spec.containers[0].command).toEqual(["/sbin/tini", "--", `/bin/${name}`]);
    }
  });
});

describe.skipIf(Bun.which("kubectl") === null)("kustomize (kubectl is not on every machine)", () => {
  test.each(["deployment", "cronjobs"])(
    "%s: renders, and what it renders is what the API takes",
    (shape) => {
      const { stdout, stderr, exitCode } = Bun.spawnSync(["kubectl", "kustomize", join(folder, shape)]);
      expect([exitCode, stderr.toString()]).toEqual([0, ""]);
      const objects: Objects[] = stdout
        .toString()
        .split(/^---$/m)
        .map((text) => YAML.parse(text));
      expect(compilerOn(objects)).toBe("");
      const hooks = objects.find(
        ({ kind, metadata }) => kind === "ConfigMap" && metadata.name.startsWith("backup-hooks"),
      );
      expect(Object.keys(hooks.data).sort()).toEqual(["post-backup.sh", "pre-backup.sh"]);
      for (const pod of objects.flatMap(podsOf)) {
        const volume = pod.volumes.find(({ name }: Objects) => name === "hooks");
        expect(volume.configMap).toEqual({ name: hooks.metadata.name, defaultMode: 0o755 });
      }
    },
    60_000,
  );
});
