import type { Command } from "../run/command.ts";

const command: Command = { about: "", flags: {}, environment: [], exits: [], main: async () => 0 };
export default command;
