import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HybridClock } from "./hybrid-clock.ts";
import { EPOCH_MS, TICKS_PER_MS, timestampFromMs } from "./timestamp.ts";

const DAY_MS = 24 * 3600 * 1000;

/** A wall clock that stands still, creeps, jumps and runs backwards; or a timestamp from elsewhere. */
const events = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant("tick" as const),
      wallMs: fc.oneof(
        fc.integer({ min: EPOCH_MS, max: EPOCH_MS + 5 }),
        fc.integer({ min: EPOCH_MS - DAY_MS, max: EPOCH_MS + 10 * 365 * DAY_MS }),
      ),
    }),
    fc.record({
      kind: fc.constant("observe" as const),
      timestamp: fc.oneof(fc.nat({ max: 5 * TICKS_PER_MS }), fc.nat({ max: 2 ** 52 })),
    }),
    fc.record({ kind: fc.constant("restart" as const) }),
  ),
  { maxLength: 60, size: "max" },
);

describe("the hybrid clock", () => {
  it("exceeds all that it issued and observed, under any input and restart", () => {
    fc.assert(
      fc.property(events, (all) => {
        let clock = new HybridClock();
        let greatest = 0;
        const [issued, expected]: [number[], number[]] = [[], []];
        for (const event of all) {
          if (event.kind === "restart") clock = new HybridClock(clock.last);
          else if (event.kind === "observe") {
            clock.observe(event.timestamp);
            greatest = Math.max(greatest, event.timestamp);
          } else {
            greatest = Math.max(greatest + 1, timestampFromMs(event.wallMs));
            expected.push(greatest);
            issued.push(clock.tick(event.wallMs));
          }
          expect(clock.last).toBe(greatest);
        }
        expect(issued).toEqual(expected);
      }),
    );
  });

  it("follows a wall clock that runs forward", () => {
    const clock = new HybridClock();
    for (let ms = 1; ms < 50; ms += 1) expect(clock.tick(EPOCH_MS + ms)).toBe(ms * TICKS_PER_MS);
  });

  it("carries into the next millisecond when one has more ticks than it holds", () => {
    const clock = new HybridClock();
    const first = clock.tick(EPOCH_MS + 1);
    for (let count = 0; count < TICKS_PER_MS; count += 1) clock.tick(EPOCH_MS + 1);
    expect(clock.last).toBe(first + TICKS_PER_MS);
    expect(clock.tick(EPOCH_MS + 2)).toBe(first + TICKS_PER_MS + 1);
    expect(clock.tick(EPOCH_MS + 3)).toBe(timestampFromMs(EPOCH_MS + 3));
  });
});
