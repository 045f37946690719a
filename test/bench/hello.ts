// A bare start of a compiled program: what every figure of a tick is compared with.
console.log("hello");
