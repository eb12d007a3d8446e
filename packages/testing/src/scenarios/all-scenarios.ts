import { CLOCK_SCENARIOS } from "./clock-scenarios.ts";
import { COPY_SCENARIOS } from "./copy-scenarios.ts";
import { FORGETTING_SCENARIOS } from "./forgetting-scenarios.ts";
import { MEETING_SCENARIOS } from "./meeting-scenarios.ts";
import { MEMBERSHIP_SCENARIOS } from "./membership-scenarios.ts";
import type { Scenario } from "./scenario.ts";
import { STORAGE_SCENARIOS } from "./storage-scenarios.ts";
import { STREAMING_SCENARIOS } from "./streaming-scenarios.ts";
import { WRITING_SCENARIOS } from "./writing-scenarios.ts";

/** Every scenario that runs on each change. */
export const ALL_SCENARIOS: readonly Scenario[] = [
  ...WRITING_SCENARIOS,
  ...STORAGE_SCENARIOS,
  ...STREAMING_SCENARIOS,
  ...FORGETTING_SCENARIOS,
  ...MEETING_SCENARIOS,
  ...MEMBERSHIP_SCENARIOS,
  ...COPY_SCENARIOS,
  ...CLOCK_SCENARIOS,
];

/** Runs a scenario; undefined when it ended well, else what went wrong. */
export async function failureOf(name: string): Promise<string | undefined> {
  const scenario = ALL_SCENARIOS.find((known) => known.name === name);
  if (scenario === undefined) throw new Error(`no scenario is called ${name}`);
  try {
    await scenario.run();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
