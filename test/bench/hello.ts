// A bare start of a compiled program: what every figure of a tick is compared with. With a word it tells of its memory.
if (process.argv.length > 2) console.log(await Bun.file("/proc/self/status").text());
else console.log("hello");
