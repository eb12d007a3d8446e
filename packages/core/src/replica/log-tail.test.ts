import { replicaId } from "@meshkv/testing/pure";
import { expect, it } from "vitest";
import type { WriteRecord } from "../record.ts";
import { LogTail } from "./log-tail.ts";

const A = replicaId(1);
const record = (timestamp: number): WriteRecord => ({ origin: A, timestamp }) as WriteRecord;

it("knows the end of a log whatever the order in which records came, and nothing of others", () => {
  const tail = new LogTail();
  tail.add(record(20));
  // A tombstone that is copied has been forgotten by the logs of its source.
  tail.add(record(10));
  expect(tail.endsBy(A, 15)).toBe(false);
  expect(tail.endsBy(A, 20)).toBe(true);
  expect(tail.endsBy(replicaId(2), 20)).toBe(false);
});
