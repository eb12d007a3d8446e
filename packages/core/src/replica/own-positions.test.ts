import fc from "fast-check";
import { expect, it } from "vitest";
import type { StartId } from "../ids.ts";
import { positionOf } from "../position.ts";
import { OwnPositions } from "./own-positions.ts";
import type { Start } from "./state.ts";

function startsOf(recovered: readonly number[]): Start[] {
  return recovered.map((at, index) => ({ id: `${index + 1}`.padStart(16, "0") as StartId, recovered: at }));
}

it("positions are those that all starts tell, asked for in any order, also when a start has begun", () => {
  const points = fc
    .uniqueArray(fc.nat({ max: 60 }), { maxLength: 20 })
    .map((all) => all.sort((a, b) => a - b));
  const timestamps = fc.array(fc.nat({ max: 80 }), { maxLength: 20 });
  fc.assert(
    fc.property(points, timestamps, timestamps, (recovered, before, after) => {
      const positions = new OwnPositions();
      const starts = startsOf(recovered);
      for (const timestamp of before) {
        expect(positions.at(starts, timestamp)).toEqual(positionOf(starts, timestamp));
      }
      const more = startsOf([...recovered, 61]);
      for (const timestamp of after) {
        expect(positions.at(more, timestamp)).toEqual(positionOf(more, timestamp));
      }
    }),
  );
});
