// A backup whose work has a bug: what a run makes of an error that nobody expected. Run by bun itself.
import { runWorker } from "../../lib/run/life.ts";

const work = () => {
  throw new TypeError("undefined is not a snapshot");
};
process.exit(await runWorker("backup", undefined, work));
