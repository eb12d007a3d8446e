import { CLIENT_BUGS } from "./client-bugs.ts";
import { CLOCK_AND_CONFLICT_BUGS } from "./clock-and-conflict-bugs.ts";
import { COPY_BUGS } from "./copy-bugs.ts";
import { FORGETTING_BUGS } from "./forgetting-bugs.ts";
import { MEETING_BUGS } from "./meeting-bugs.ts";
import { MEMBERSHIP_BUGS } from "./membership-bugs.ts";
import type { PlantedBug } from "./planted-bug.ts";
import { STORAGE_BUGS } from "./storage-bugs.ts";
import { STREAMING_BUGS } from "./streaming-bugs.ts";
import { WRITING_BUGS } from "./writing-bugs.ts";

/** Every planted bug, in the order of the rules. */
export const ALL_BUGS: readonly PlantedBug[] = [
  ...WRITING_BUGS,
  ...STORAGE_BUGS,
  ...STREAMING_BUGS,
  ...FORGETTING_BUGS,
  ...MEETING_BUGS,
  ...MEMBERSHIP_BUGS,
  ...COPY_BUGS,
  ...CLOCK_AND_CONFLICT_BUGS,
  ...CLIENT_BUGS,
];
