/**
 * The Dockerfile, where no Docker runs: its instructions are read, and every path that its last stage lays out is
 * compared with what `make rootfs` lays out, in both directions.
 */

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { variables } from "../../lib/config/variables.ts";
import { linkNames } from "../../lib/run/command.ts";
import { table } from "../../lib/workers/index.ts";
import { needing } from "../support/needing.ts";
import { binary } from "../support/world.ts";

const root = join(import.meta.dir, "../..");
const text = readFileSync(join(root, "lib/image/Dockerfile"), "utf8");

interface Instruction {
  readonly name: string;
  readonly words: string;
}

/** Instructions with their continued lines joined, by stage. */
const stages: Instruction[][] = [];
for (const line of text
  .replace(/^#.*\n/gm, "")
  .replaceAll(/\\\n\s*/g, "")
  .split("\n")) {
  const [, name = "", words = ""] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
  if (name === "FROM") stages.push([]);
  if (name !== "") stages.at(-1)?.push({ name, words });
}
const [build = [], image = []] = stages;
const of = (stage: readonly Instruction[], name: string) =>
  stage.filter((each) => each.name === name).map(({ words }) => words);
/** The commands of a stage's RUN lines, one by one. */
const commands = (stage: readonly Instruction[]) =>
  of(stage, "RUN").flatMap((words) => words.split(/\s*&&\s*/));
const packages = (stage: readonly Instruction[]) =>
  commands(stage)
    .filter((command) => command.startsWith("apk add "))
    .flatMap((command) => command.split(" ").slice(2))
    .filter((word) => !word.startsWith("-"));

/** Where Alpine's packages put the program that they are there for; undefined for one without a program. */
const PROGRAMS: Readonly<Record<string, string | undefined>> = {
  bash: "/bin/bash",
  "ca-certificates": "/etc/ssl/certs/ca-certificates.crt",
  curl: "/usr/bin/curl",
  fuse: "/usr/bin/fusermount",
  jq: "/usr/bin/jq",
  // The C++ library that musl's build needs; glibc's build has its own.
  "libstdc++": undefined,
  msmtp: "/usr/bin/msmtp",
  // mount.nfs: the tree has no kernel of its own that it could mount with.
  "nfs-utils": undefined,
  "openssh-client": "/usr/bin/ssh",
  rclone: "/usr/bin/rclone",
  restic: "/usr/bin/restic",
  tini: "/sbin/tini",
  tzdata: "/usr/share/zoneinfo/Europe/Amsterdam",
};

/** Where `env --image` notes what the ENV lines set. */
const NOTED = "/usr/local/share/restic-backup-helper/image.json";

/** What the image is for a restic that is started in it by hand, by the names of the system that people come from. */
const IMAGE_ENV = {
  RESTIC_REPOSITORY: "/mnt/restic",
  RESTIC_CACHE_DIR: "/.cache/restic",
  OS_USER_DOMAIN_NAME: "Default",
  OS_PROJECT_DOMAIN_ID: "Default",
  OS_IDENTITY_API_VERSION: "3",
};

/** Every path that the last stage lays out; a link with its target. */
function laidOut(): Map<string, string | undefined> {
  const paths = new Map<string, string | undefined>();
  for (const name of packages(image)) if (PROGRAMS[name] !== undefined) paths.set(PROGRAMS[name], undefined);
  for (const words of of(image, "COPY")) paths.set(words.split(" ").at(-1) ?? "", undefined);
  for (const command of commands(image)) {
    const [program = "", ...words] = command.split(" ");
    const plain = words.filter((word) => !word.startsWith("-"));
    if (program === "mkdir") for (const path of plain) paths.set(path, undefined);
    else if (program === "chmod") expect(paths.has(plain[1] ?? "")).toBe(true);
    else if (program === "ln") paths.set(plain[1] ?? "", plain[0]);
    else if (command === "restic-backup-helper env --image") paths.set(NOTED, undefined);
    else if (program === "restic-backup-helper") {
      expect(words).toEqual(["--install", "-s", "/bin"]);
      for (const name of linkNames(table)) paths.set(`/bin/${name}`, "/usr/local/bin/restic-backup-helper");
    } else expect(program).toBe("apk");
  }
  return paths;
}

/** What test/tools/rootfs copies into the tree. */
const COPIED = [
  "busybox",
  "restic",
  "rclone",
  "bash",
  "curl",
  "jq",
  "fusermount",
  "msmtp",
  "ssh",
  "tini-static",
];

needing(...COPIED).describe.skipIf(process.getuid?.() !== 0)(
  "the last stage lays out what make rootfs lays out (root only: device nodes)",
  () => {
    const scratch = mkdtempSync(join(tmpdir(), "rbh-"));
    afterAll(() => rmSync(scratch, { recursive: true }));
    const tree = join(scratch, "root");

    test("every path of the Dockerfile is in the tree", () => {
      const { exitCode, stderr } = Bun.spawnSync([join(root, "test/tools/rootfs"), binary, tree]);
      expect([exitCode, stderr.toString()]).toEqual([0, ""]);
      const paths = laidOut();
      expect(
        [...paths.keys()].filter((path) => !existsSync(join(tree, path)) && !isLink(join(tree, path))),
      ).toEqual([]);
      const links = [...paths].filter(([, target]) => target !== undefined);
      expect(links.map(([path]) => [path, readlinkSync(join(tree, path))])).toEqual(
        links.map(([path, target]) => [path, target!]),
      );
    }, 60_000);

    test("and nothing of ours is in the tree that is not in the Dockerfile", () => {
      const paths = new Set(laidOut().keys());
      // What Alpine's base image has by itself.
      const alpine = "bin dev etc lib lib64 mnt proc root run sbin sys tmp usr var".split(" ");
      expect(JSON.parse(readFileSync(join(tree, NOTED), "utf8"))).toEqual(IMAGE_ENV);
      const top = readdirSync(tree).filter((name) => !alpine.includes(name));
      expect(top.filter((name) => [...paths].every((path) => !`${path}/`.startsWith(`/${name}/`)))).toEqual(
        [],
      );
      const ours = readdirSync(join(tree, "bin")).filter(
        (name) =>
          isLink(join(tree, "bin", name)) &&
          readlinkSync(join(tree, "bin", name)).endsWith("restic-backup-helper"),
      );
      expect(ours.filter((name) => !paths.has(`/bin/${name}`))).toEqual([]);
      const programs = ["usr/local/bin", "usr/bin", "sbin", "usr/sbin"].flatMap((folder) =>
        readdirSync(join(tree, folder)).map((name) => `/${folder}/${name}`),
      );
      const isApplet = (path: string) =>
        isLink(join(tree, path)) && readlinkSync(join(tree, path)) === "/bin/busybox";
      // An applet of Alpine's busybox that Debian's lacks.
      expect(programs.filter((path) => !paths.has(path) && !isApplet(path))).toEqual(["/usr/bin/flock"]);
    });

    const isLink = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  },
);

describe("the Dockerfile", () => {
  test("two stages of the same Alpine; each package has a reason", () => {
    expect(text.match(/^FROM alpine:\$\{ALPINE\}( AS build)?$/gm)).toHaveLength(2);
    expect(packages(image).sort()).toEqual(Object.keys(PROGRAMS).sort());
    expect(packages(build)).toContain("libstdc++");
  });

  test("what it copies is there, and .dockerignore lets it through", () => {
    const copied = of(build, "COPY").flatMap((words) => words.split(" ").slice(0, -1));
    const ignore = readFileSync(join(root, ".dockerignore"), "utf8").split("\n");
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(copied.filter((path) => !ignore.includes(`!${path}`))).toEqual([]);
    expect(ignore).toContain("*");
  });

  test("the build stage makes the file that the last stage takes, by targets of the Makefile", () => {
    const [copy = ""] = of(image, "COPY");
    expect(copy).toBe("--from=build /src/dist/restic-backup-helper /usr/local/bin/restic-backup-helper");
    expect(of(build, "WORKDIR")).toEqual(["/src"]);
    const makes = commands(build).filter((command) => command.startsWith("make"));
    expect(makes).toHaveLength(2);
    const dry = Bun.spawnSync(["make", "--dry-run", "RESTIC=0.0.1", "--always-make"], {
      cwd: root,
    }).stdout.toString();
    expect(dry).toContain("--outfile=dist/restic-backup-helper");
    expect(dry).toMatch(/BUILD_RELEASE='"\d+\.\d+\.\d+-0\.0\.1"'/);
  });

  test("process 1, the health check, the volume and the labels", () => {
    expect(of(image, "ENTRYPOINT").map((words) => JSON.parse(words))).toEqual([
      ["/sbin/tini", "--", "/entry.sh"],
    ]);
    expect(of(image, "HEALTHCHECK")).toEqual([expect.stringContaining('CMD ["/bin/status", "--alive"]')]);
    expect(of(image, "VOLUME")).toEqual(["/data"]);
    for (const label of ["title", "description", "licenses", "version", "revision", "created"])
      expect(of(image, "LABEL").join(" ")).toContain(`org.opencontainers.image.${label}=`);
  });

  test("what ENV sets is noted", () => {
    const noted = image.findIndex(({ words }) => words.includes("restic-backup-helper env --image"));
    expect(noted).toBeGreaterThan(0);
    const set = image.flatMap(({ name, words }, at) => (name === "ENV" ? [{ words, at }] : []));
    const found: Record<string, string> = {};
    for (const { words, at } of set) {
      expect(at).toBeLessThan(noted);
      const [, name = "", value] = /^(\w+)=(?:"(.*)"|(.*))$/.exec(words) ?? [];
      found[name] = value ?? words.split("=")[1] ?? "";
    }
    // The tree of make rootfs, and an image derived from this one, run the same command; see test/workers/env.test.ts.
    expect(found).toEqual(IMAGE_ENV);
  });

  test("every folder that a variable points to by default is laid out, or Alpine's", () => {
    const { HOOKS_DIR, LOG_DIR, LOCK_DIR, CRONTAB_DIR } = variables;
    const made = [...laidOut().keys(), "/var/log", "/var/run"];
    for (const { fallback } of [HOOKS_DIR, LOG_DIR, LOCK_DIR, CRONTAB_DIR]) expect(made).toContain(fallback!);
  });
});
