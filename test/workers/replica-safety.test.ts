// What replicate must not delete and must not copy back: real rclone, of Debian and the newest, on local folders.
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Pairs } from "../support/pairs.ts";
import { rclones } from "../support/restics.ts";

const each = rclones.map(({ version, path }) => [version, path] as const);
const TEN = Array.from({ length: 10 }, (_, index) => `f${index}`);

/** Moves what is in a folder of the world elsewhere, as if its volume were not mounted. */
function unmount(world: Pairs, side: "a" | "b"): void {
  renameSync(world[side], join(world.dir, `${side}-gone`));
  mkdirSync(world[side]);
}

describe.each(each)("sync with rclone %s", (_, rclone) => {
  function full(extra = ""): Pairs {
    const world = new Pairs(rclone);
    world.jobs(`${world.a};${world.b};sync;${extra}`);
    for (const name of TEN) world.put(`a/${name}`, name);
    return world;
  }

  test("an empty source with a full destination is refused, the first time and later", async () => {
    using world = full();
    expect((await world.replicate()).code).toBe(0);
    expect(world.job).toMatchObject({ destination_files: 10 });
    unmount(world, "a");
    for (let run = 0; run < 2; run++) {
      const { code, stdout } = await world.replicate();
      expect(code).toBe(1);
      expect(stdout).toContain(
        "The source is empty, and the destination has 10 files: sync would delete everything",
      );
      expect(stdout).toContain("--allow-empty-source");
      expect(world.sides[1]).toEqual(TEN);
      expect(world.job).toMatchObject({
        exit_code: 1,
        error: expect.stringContaining("The source is empty"),
      });
      // Nor does it depend on what earlier runs have left behind.
      rmSync(world.log, { recursive: true });
      mkdirSync(world.log);
    }
  });

  test("--allow-empty-source in the row is ours: it deletes all, and says how much", async () => {
    using world = full("--allow-empty-source -v");
    expect((await world.replicate()).code).toBe(0);
    unmount(world, "a");
    const { code, stdout } = await world.replicate();
    expect(code).toBe(0);
    expect(world.sides[1]).toEqual([]);
    expect(stdout).toMatch(/job 1 of 1 .*: done in .*, 10 files deleted/);
    expect(world.record("replicate")).toMatchObject({
      replicate_files_deleted: 10,
      replicate_jobs: [{ deletes: 10 }],
    });
  });

  test("--allow-empty-source for every row is refused before anything runs", async () => {
    using world = full();
    const { code, stdout } = await world.replicate({ REPLICATE_JOB_ARGS: "--allow-empty-source" });
    expect(code).toBe(2);
    expect(stdout).toContain("REPLICATE_JOB_ARGS: --allow-empty-source would hold for every row.");
    expect(world.sides[1]).toEqual([]);
  });

  test("a source that cannot be listed is refused", async () => {
    using world = full();
    expect((await world.replicate()).code).toBe(0);
    rmSync(world.a, { recursive: true });
    const { code, stdout } = await world.replicate();
    expect(code).toBe(3);
    expect(stdout).toContain("The source cannot be listed (exit 3: the folder was not found)");
    expect(readdirSync(world.b)).toHaveLength(10);
  });

  test("an empty source and an empty destination: there is nothing to lose", async () => {
    using world = new Pairs(rclone);
    world.jobs(`${world.a};${world.b};sync`, `${world.a};${world.dir}/new;sync`);
    expect((await world.replicate()).code).toBe(0);
  });

  test("--dry-run changes nothing, is no success, and teaches nothing of what is there", async () => {
    using world = full();
    expect((await world.replicate({ REPLICATE_JOB_ARGS: "--dry-run" })).code).toBe(0);
    expect(world.sides[1]).toEqual([]);
    expect(world.record("replicate")).toMatchObject({
      status: "dry-run",
      replicate_jobs: [{ dry_run: true }],
    });
    expect(world.job.destination_files).toBeUndefined();
  });

  test("deletions are mailed, also of a good run", async () => {
    using world = full();
    world.program("sendmail", 'cat >"$HOME/mail"');
    world.env.MAILX_RCPT = "me@example.org";
    expect((await world.replicate()).code).toBe(0);
    expect(world.has("mail")).toBe(false);
    rmSync(join(world.a, "f0"));
    expect((await world.replicate()).code).toBe(0);
    const subject = [...world.read("mail").matchAll(/=\?UTF-8\?B\?(.*?)\?=/g)].map(([, word = ""]) =>
      atob(word),
    );
    expect(subject.join("")).toContain("1 job (0 failed), 1 file deleted");
    expect(world.read("mail")).toMatch(/: done in .*, 1 file deleted/);
  });

  test("an empty source is none to copy", async () => {
    using world = new Pairs(rclone);
    world.jobs(`${world.a};${world.b};copy;--allow-empty-source`);
    world.put("b/x", "x");
    expect((await world.replicate()).code).toBe(0);
    expect(world.sides[1]).toEqual(["x"]);
  });

  test.each(["by the record", "by a listing"])(
    "more than half is not deleted, %s; the row may lift that",
    async (by) => {
      using world = full();
      expect((await world.replicate()).code).toBe(0);
      if (by === "by a listing") rmSync(join(world.log), { recursive: true });
      mkdirSync(world.log, { recursive: true });
      for (const name of TEN.slice(0, 6)) rmSync(join(world.a, name));
      for (let run = 0; run < 3; run++) {
        const { code, stdout } = await world.replicate();
        expect(code).toBe(1);
        expect(stdout).toContain("sync would delete more than half of them, so it was not started.");
        expect(world.sides[1]).toEqual(TEN);
      }
      world.jobs(`${world.a};${world.b};sync;--max-delete 6`);
      const lifted = await world.replicate();
      expect(lifted.code).toBe(0);
      expect(lifted.stdout).toContain(", 6 files deleted");
      expect(world.sides[1]).toEqual(TEN.slice(6));
    },
  );

  test("half may be deleted; so may REPLICATE_JOB_ARGS and a row lift the bound with -1", async () => {
    using world = full();
    expect((await world.replicate()).code).toBe(0);
    for (const name of TEN.slice(0, 5)) rmSync(join(world.a, name));
    expect((await world.replicate()).code).toBe(0);
    expect(world.sides[1]).toEqual(TEN.slice(5));
    for (const name of TEN.slice(5, 9)) rmSync(join(world.a, name));
    expect((await world.replicate({ REPLICATE_JOB_ARGS: "--max-delete=-1" })).code).toBe(0);
    expect(world.sides[1]).toEqual(TEN.slice(9));
  });

  test("all files replaced by others: rclone stops at the bound, run after run, and half of them stay", async () => {
    using world = full();
    expect((await world.replicate()).code).toBe(0);
    for (const name of TEN) renameSync(join(world.a, name), join(world.a, `other-${name}`));
    for (let run = 0; run < 3; run++) {
      const { code, stdout } = await world.replicate();
      expect(code).not.toBe(0);
      expect(stdout).toContain("more deletions than half of what was at the destination");
      expect(world.sides[1]?.filter((name) => TEN.includes(name)).length).toBeGreaterThanOrEqual(5);
    }
  });
});

describe.each(each)("bisync with rclone %s", (_, rclone) => {
  async function begun(extra = ""): Promise<Pairs> {
    const world = new Pairs(rclone);
    world.jobs(`${world.a};${world.b};bisync;${extra}`);
    for (const name of TEN) world.put(`a/${name}`, name, 1000);
    expect((await world.replicate()).code).toBe(0);
    return world;
  }

  test.each(["a", "b"] as const)(
    "too many deletes in %s: a failure, run after run, until the row says --force",
    async (side) => {
      using world = await begun();
      for (const name of TEN.slice(0, 8)) rmSync(join(world[side], name));
      for (let run = 0; run < 2; run++) {
        const { code, stdout } = await world.replicate();
        expect(code).not.toBe(0);
        expect(stdout).toContain("on one side too many files were deleted or changed");
        expect(world.sides[side === "a" ? 0 : 1]).toEqual(TEN.slice(8));
        expect(world.job).toMatchObject({ recovered: false, error: expect.stringContaining("--force") });
      }
      world.jobs(`${world.a};${world.b};bisync;--force`);
      expect((await world.replicate()).code).toBe(0);
      expect(world.sides).toEqual([TEN.slice(8), TEN.slice(8)]);
    },
  );

  test.each(["a", "b"] as const)(
    "%s is empty, where it was not: a failure, run after run; nothing is copied into it",
    async (side) => {
      using world = await begun();
      unmount(world, side);
      const name = side === "a" ? "source" : "destination";
      for (let run = 0; run < 3; run++) {
        const { code, stdout } = await world.replicate();
        expect(code).not.toBe(0);
        expect(stdout).toContain(`The ${name} is empty, and it was not after the last good run.`);
        expect(readdirSync(world[side])).toEqual([]);
        expect(world.record("replicate")).toMatchObject({ status: "failed" });
      }
      // Mounted again, it goes on: the listings are lost, so by a recovery.
      rmSync(world[side], { recursive: true });
      renameSync(join(world.dir, `${side}-gone`), world[side]);
      expect((await world.replicate()).code).toBe(0);
      expect(world.record("replicate")).toMatchObject({ status: "warning", alerts: [{ kind: "recovered" }] });
      expect(world.sides).toEqual([TEN, TEN]);
      expect((await world.replicate()).code).toBe(0);
      expect(world.record("replicate")).toMatchObject({ status: "ok" });
    },
  );

  test("the listings are lost, and a side is not mounted: nothing is copied into it", async () => {
    using world = await begun();
    rmSync(join(world.dir, ".cache"), { recursive: true });
    unmount(world, "b");
    const { code, stdout } = await world.replicate();
    expect(code).not.toBe(0);
    expect(stdout).toContain("The destination is empty, and it was not after the last good run.");
    expect(world.sides[1]).toEqual([]);
  });

  test("the listings are lost: the source's version wins over a newer one, which is kept aside and named", async () => {
    using world = await begun();
    rmSync(join(world.dir, ".cache"), { recursive: true });
    world.put("b/f1", "newer and longer than the source's");
    world.put("a/f2", "edited here");
    const { code, stdout } = await world.replicate();
    expect(code).toBe(0);
    for (const side of ["a", "b"]) {
      expect(world.read(`${side}/f1`)).toBe("f1");
      expect(world.read(`${side}/f2`)).toBe("edited here");
    }
    const { kept_aside: kept } = world.job;
    expect(kept.map((path: string) => path.replace(/^.*\//, "")).sort()).toEqual(["f1", "f2"]);
    for (const path of kept) expect(stdout).toContain(`Replaced, and kept as ${path}`);
    const f1 = kept.find((path: string) => path.endsWith("/f1"));
    expect(await Bun.file(f1).text()).toBe("newer and longer than the source's");
  });

  test("the first run of a pair: a newer file that is smaller may be half an upload, and does not win", async () => {
    using world = new Pairs(rclone);
    world.jobs(`${world.a};${world.b}`);
    world.put("a/large", "all of it", 1000);
    world.put("b/large", "all");
    expect((await world.replicate()).code).toBe(0);
    for (const side of ["a", "b"]) expect(world.read(`${side}/large`)).toBe("all of it");
    expect(await Bun.file(world.job.kept_aside[0]).text()).toBe("all");
    expect(world.record("replicate")).toMatchObject({ status: "warning" });
  });

  test("a pair that was empty on both sides may be filled on one of them", async () => {
    using world = new Pairs(rclone);
    world.jobs(`${world.a};${world.b}`);
    for (let run = 0; run < 2; run++) expect((await world.replicate()).code).toBe(0);
    world.put("a/x", "x");
    expect((await world.replicate()).code).toBe(0);
    expect(world.sides).toEqual([["x"], ["x"]]);
  });

  test("deletions stand in the job's line and the record", async () => {
    using world = await begun();
    rmSync(join(world.a, "f0"));
    const { stdout } = await world.replicate();
    expect(world.sides[1]).toEqual(TEN.slice(1));
    expect(stdout).toMatch(/: done in .*, 1 file deleted/);
    expect(world.record("replicate")).toMatchObject({ replicate_files_deleted: 1 });
  });
});
