// Each thing that a FUSE mount needs, taken away in a namespace of its own.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { canMount, isMounted, Mounts, Prepared } from "../support/mounts.ts";
import type { World } from "../support/world.ts";

let prepared: Prepared;
beforeAll(async () => {
  if (canMount) prepared = await Prepared.make();
}, 60_000);
afterAll(() => prepared?.[Symbol.dispose]());

const isRoot = process.geteuid?.() === 0;
if (!isRoot)
  console.log("mount-snapshot: tests of prerequisites are skipped, for they take things away as root");

describe.skipIf(!canMount || !isRoot)("mount-snapshot names what is missing", () => {
  /** Runs it in a mount namespace of its own, after `prepare`, by way of `through`. */
  const without = async (world: Mounts, prepare: string, through: readonly string[], args: string[] = []) => {
    const link = world.link("mount-snapshot");
    const script = `${prepare}\nexec "$@"`;
    const words = [link, "--target", world.target, ...args];
    const command = ["unshare", "-m", "sh", "-c", script, "sh", ...through, ...words];
    const result = await world.exec(command);
    expect(isMounted(world.target)).toBe(false);
    expect(world.record("mount-snapshot")).toMatchObject({ exit_code: 2, status: "failed" });
    return result;
  };
  /** nobody owns this world. */
  const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const forNobody = (world: World) => `chown -R 65534:65534 "${world.dir}"`;
  const openDevice = (world: World) =>
    `mknod -m 666 "${world.dir}/fuse" c 10 229; mount --bind "${world.dir}/fuse" /dev/fuse`;

  test("/dev/fuse", async () => {
    using world = new Mounts(prepared);
    const hide = "mount -t tmpfs tmpfs /dev; mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/urandom c 1 9";
    const { code, stdout } = await without(world, hide, []);
    expect(code).toBe(2);
    expect(stdout).toContain("/dev/fuse is missing.");
    expect(stdout).toContain("docker:     docker run --device /dev/fuse …");
    expect(stdout).toContain('compose:    devices: ["/dev/fuse:/dev/fuse"]');
    expect(stdout).toContain("Kubernetes: securityContext: { privileged: true }");
    expect(stdout).toContain("1 thing is missing for a FUSE mount");
    expect(world.read("seen")).toBe("nothing\n");
  });

  test("a /dev/fuse that this user may not open", async () => {
    using world = new Mounts(prepared);
    const closed = `mknod -m 600 "${world.dir}/fuse" c 10 229; mount --bind "${world.dir}/fuse" /dev/fuse; chown 0:0 "${world.dir}/fuse"`;
    const { code, stdout } = await without(world, `${forNobody(world)}; ${closed}`, user);
    expect(code).toBe(2);
    expect(stdout).toContain("/dev/fuse cannot be opened by this user (EACCES).");
    expect(stdout).toContain("on the host: chmod 666 /dev/fuse");
  });

  test("fusermount", async () => {
    using world = new Mounts(prepared);
    for (const name of ["sh", "flock", "mkfifo", "unshare", "grep"]) {
      symlinkSync(Bun.which(name)!, join(world.folder("few"), name));
    }
    world.env.PATH = `${world.bin}:${join(world.dir, "few")}`;
    const none = await without(world, "", []);
    expect(none.code).toBe(2);
    expect(none.stdout).toContain("fusermount is missing in PATH.");
    expect(none.stdout).toContain("apk add fuse");
    symlinkSync(Bun.which("fusermount")!, join(world.dir, "few/fusermount3"));
    const other = await without(world, "", []);
    expect(other.code).toBe(2);
    expect(other.stdout).toContain(`ln -s ${world.dir}/few/fusermount3 /usr/local/bin/fusermount`);
  });

  test("CAP_SYS_ADMIN", async () => {
    using world = new Mounts(prepared);
    const { code, stdout } = await without(world, "", [
      "setpriv",
      "--bounding-set=-sys_admin",
      "--inh-caps=-all",
    ]);
    expect(code).toBe(2);
    expect(stdout).toContain("The capability CAP_SYS_ADMIN is missing.");
    expect(stdout).toContain("docker run --cap-add SYS_ADMIN …");
    expect(stdout).toContain("cap_add: [SYS_ADMIN]");
    expect(stdout).toContain('capabilities: { add: ["SYS_ADMIN"] }');
  });

  test("no-new-privileges, for who is not root", async () => {
    using world = new Mounts(prepared);
    const prepare = `${openDevice(world)}; ${forNobody(world)}`;
    const { code, stdout } = await without(world, prepare, [...user, "--no-new-privs"], ["--allow-other"]);
    expect(code).toBe(2);
    expect(stdout).toContain("no-new-privileges is set");
    expect(stdout).toContain("securityContext: { allowPrivilegeEscalation: true }");
    expect(stdout).toContain("/etc/fuse.conf does not say user_allow_other");
    expect(stdout).toContain("2 things are missing for a FUSE mount");
  });

  test("docker's AppArmor profile", async () => {
    using world = new Mounts(prepared);
    const label = world.file("label", "docker-default (enforce)\n");
    // exec keeps the pid, so the file that is put over its attribute stays where it looks.
    const { code, stdout } = await without(world, `mount --bind ${label} /proc/$$/attr/current`, []);
    expect(code).toBe(2);
    expect(stdout).toContain("The AppArmor profile docker-default denies every mount.");
    expect(stdout).toContain("docker run --security-opt apparmor=unconfined …");
  });
});
