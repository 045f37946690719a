/** What doctor costs where no repository is configured: by itself, and with the programs whose versions it asks for. */

import { World } from "../support/world.ts";
import { compare } from "./paired.ts";
import { hello } from "./programs.ts";
import { type Row, wallRow } from "./report.ts";

const ROUNDS = 30;
/** What we have seen on a quiet machine, and room for a busier one. */
const LIMITS = { itself: 5, programs: 1.35 };

export async function doctor(): Promise<Row[]> {
  using real = new World();
  using quick = new World();
  quick.restic('echo "restic 0.19.1 compiled with go1.25"');
  quick.program("rclone", 'echo "rclone v1.60.1"');
  quick.program("busybox", 'echo "BusyBox v1.37.0"');
  const without = { RESTIC_REPOSITORY: undefined, RESTIC_PASSWORD: undefined };
  const run = (name: string, world: World) => ({
    name,
    command: [world.link("doctor")],
    env: { ...world.env, ...without },
    // The repository is missing, and it says so.
    code: 1,
  });
  // doctor asks all of them at once.
  const byHand = "restic version & rclone version --config= & busybox & flock --version & wait";
  const [bare, itself, all, programs] = await compare(
    [
      { name: "bare start", command: [await hello()], env: real.env },
      run("doctor, quick programs", quick),
      run("doctor", real),
      { name: "by hand", command: ["sh", "-c", byHand], env: real.env },
    ],
    ROUNDS,
    2,
  );
  if (bare === undefined || itself === undefined || all === undefined || programs === undefined)
    throw new Error("nothing was measured");
  const what = "doctor, no repository";
  return [
    wallRow(`${what}, programs that answer at once`, itself, bare, "a bare Bun start", {
      limit: LIMITS.itself,
    }),
    wallRow(what, all, programs, "the programs it asks, by hand", { limit: LIMITS.programs }),
  ];
}
