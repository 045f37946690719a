import { describe, expect, test } from "bun:test";
import { parseMountinfo } from "../../lib/files/mounts.ts";
import { isInOwnLayer, misreadRepository } from "../../lib/restic/place.ts";
import { restic } from "../support/restics.ts";
import { World } from "../support/world.ts";

describe("a name that cannot have been meant", () => {
  test.each([
    ["'/mnt/restic'", "quotation marks"],
    ['"/mnt/restic"', "quotation marks"],
    ["“/mnt/restic”", "quotation marks"],
    ["/mnt/restic ", "blanks"],
    ["\t/mnt/restic", "blanks"],
    ["~/restic", "~"],
    ["local:~/restic", "~"],
    ["C:\\backup", "drive letter"],
    ["d:/backup", "drive letter"],
    ["restic", "relative"],
    ["./restic", "relative"],
    ["../restic", "relative"],
    ["local:restic", "relative"],
    ["mnt/restic", "relative"],
    ["", "relative"],
    ["https://host/repo", "restic knows no such kind of repository"],
  ])("%j", (repository, says) => {
    const problem = misreadRepository(repository);
    expect(problem).toStartWith(`The repository was read as "${repository}": `);
    expect(problem).toContain(says);
  });

  test("its password is hidden", () => {
    expect(misreadRepository(" rest:https://me:secret@host/")).toContain('" rest:https://me:***@host/"');
  });
});

test.each([
  "/mnt/restic",
  "/",
  "/mnt/with a blank/and 'quotes'/x",
  "local:/mnt/restic",
  "sftp:me@host:restic",
  "rest:https://host/",
  "s3:http://127.0.0.1:9000/bucket",
  "b2:bucket:path",
  "azure:container:/",
  "gs:bucket:/",
  "swift:container:/path",
  "rclone:far:repo",
])("%s may be meant", (repository) => expect(misreadRepository(repository)).toBeUndefined());

describe("the container's own layer", () => {
  const line = (at: string, type: string) => `36 35 98:0 / ${at} rw - ${type} source rw`;
  const overlay = [line("/", "overlay"), line("/proc", "proc")];
  const inLayer = (path: string, lines: readonly string[]) =>
    isInOwnLayer(path, parseMountinfo(lines.join("\n")));

  test.each<[string, string, readonly string[], boolean]>([
    ["nothing is mounted there", "/mnt/restic", overlay, true],
    ["something is mounted at it", "/mnt/restic", [...overlay, line("/mnt/restic", "ext4")], false],
    ["above it", "/mnt/restic", [...overlay, line("/mnt", "ext4")], false],
    ["below it", "/mnt/restic", [...overlay, line("/mnt/restic/data", "ext4")], false],
    ["beside it", "/mnt/restic", [...overlay, line("/mnt/rest", "ext4")], true],
    ["over the layer", "/mnt/restic", [...overlay, line("/", "ext4")], false],
    ["no container", "/mnt/restic", [line("/", "ext4")], false],
    ["no /proc", "/mnt/restic", [], false],
  ])("%s", (_, path, lines, is) => expect(inLayer(path, lines)).toBe(is));
});

test.each(["config-check", "doctor", "init-repo --yes"])("%s says it", async (line) => {
  using world = new World();
  world.useRestic(restic.path);
  const { code, stdout } = await world.run("restic-backup-helper", line.split(" "), {
    env: { RESTIC_REPOSITORY: "~/restic" },
  });
  expect(code).toBeGreaterThan(0);
  expect(stdout).toContain('The repository was read as "~/restic": only a shell knows what ~ means');
  expect(world.has("~")).toBe(false);
});

const canOverlay = process.getuid?.() === 0 && Bun.which("unshare") !== null;

test.skipIf(!canOverlay)(
  "a repository in the layer of a real overlay is a warning, one below a mount is none",
  async () => {
    using world = new World();
    for (const name of ["layer", "root"]) world.folder(name);
    // A root of its own on an overlay, as a container runtime makes it.
    const script = [
      `mount -t tmpfs tmpfs ${world.dir}/layer`,
      `mkdir ${world.dir}/layer/upper ${world.dir}/layer/work`,
      `mount -t overlay overlay -o lowerdir=/,upperdir=${world.dir}/layer/upper,workdir=${world.dir}/layer/work ${world.dir}/root`,
      `mount --rbind /proc ${world.dir}/root/proc`,
      `mkdir ${world.dir}/root/mounted && mount -t tmpfs tmpfs ${world.dir}/root/mounted`,
      `for place in /kept/restic /mounted/restic; do`,
      `RESTIC_REPOSITORY=$place chroot ${world.dir}/root ${world.bin}/restic-backup-helper config-check | grep RESTIC_REPOSITORY`,
      "done",
    ];
    const { stdout } = await world.exec(["unshare", "-m", "sh", "-c", script.join("\n")]);
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.trim()),
    ).toEqual([
      expect.stringMatching(
        /WARN.*\/kept\/restic lies in the container's own file system and goes with it\./,
      ),
      expect.stringMatching(/OK.*\/mounted\/restic$/),
    ]);
  },
);
