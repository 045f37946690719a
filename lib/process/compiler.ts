/** The compiler of JavaScriptCore, which the build keeps back (--compile-jit-policy in the Makefile). */

/**
 * Lets it begin. For a tick, which ends before it pays, it is a quarter of all CPU time; whoever finds that there is much
 * to do (10,000 turns of a loop, say) calls this, once or again.
 */
export const compile = (): void => Bun.unsafe.setJITPolicy(1);
