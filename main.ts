import { dispatch } from "./lib/cli/dispatch.ts";
import { table } from "./lib/workers/index.ts";

// A compiled Bun program finds the name that it was called by in argv0, and its words from the third argument on.
process.exit(await dispatch(table, process.argv0, process.argv.slice(2)));
