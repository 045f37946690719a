/** A bucket that is not there: restic init makes it, so it is a missing repository, and no silent server. */

import { describe, expect, test } from "bun:test";
import { saysNoBucket } from "../../lib/restic/messages.ts";
import { restics } from "../support/restics.ts";
import { S3 } from "../support/s3.ts";
import { World } from "../support/world.ts";

test.each([
  ["The specified bucket does not exist", true],
  ["Load(<config/0000000000>, 0, 0) failed: The specified bucket does not exist.", true],
  ["<Code>NoSuchBucket</Code>", true],
  ["storage: bucket doesn't exist", true],
  ["ERROR CODE: ContainerNotFound", true],
  ["The specified container does not exist.", true],
  ["The specified key does not exist.", false],
  ["Access Denied.", false],
  ["dial tcp 127.0.0.1:9: connect: connection refused", false],
])("%s: no bucket? %s", (words, is) => expect(saysNoBucket(words)).toBe(is));

describe.each(restics.map((tool) => [tool.version, tool] as const))("restic %s", (_, tool) => {
  test("a bucket that is not there is missing at once, and init-repo makes it", async () => {
    using world = new World();
    using s3 = new S3();
    world.useRestic(tool.path);
    const env = {
      RESTIC_REPOSITORY: `s3:${s3.url}/bucket/repo`,
      AWS_ACCESS_KEY_ID: "key",
      AWS_SECRET_ACCESS_KEY: "secret-key",
    };
    const doctor = await world.run("restic-backup-helper", ["doctor", "--json"], { env });
    expect(JSON.parse(doctor.stdout).repository_probe).toMatchObject({ result: "missing" });
    const { code, stdout } = await world.run("init-repo", ["--yes"], { env });
    expect([code, stdout]).toEqual([0, expect.stringContaining("is created.")]);
    expect(world.record("init-repo")).toMatchObject({ repo_existed: "OFF", probe_exit_code: 10 });
    expect([...(s3.buckets.get("bucket")?.keys() ?? [])]).toContain("repo/config");
    expect((await world.run("backup", [], { env })).code).toBe(0);
  });

  test("what refuses the key has answered", async () => {
    using world = new World();
    world.useRestic(tool.path);
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () =>
        new Response("<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>", {
          status: 403,
        }),
    });
    const env = {
      RESTIC_REPOSITORY: `s3:http://127.0.0.1:${server.port}/bucket/repo`,
      AWS_ACCESS_KEY_ID: "key",
      AWS_SECRET_ACCESS_KEY: "secret-key",
    };
    const { code, stdout } = await world.run("init-repo", ["--yes"], { env });
    expect(code).toBe(2);
    expect(stdout).toContain("cannot be opened");
    expect(stdout).toContain("Access Denied");
    expect(stdout).not.toContain("did not answer");
  });
});
