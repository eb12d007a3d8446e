import type { WriteRecord } from "@meshkv/core";
import { sizeOfEntry, writeEntryFields } from "./encode-reply.ts";
import { fieldSize, WireWriter } from "./wire-writer.ts";

/** Room that is made at first, in bytes: a little more than the last reply took, between these. */
const ROOM_MIN = 1024;
const ROOM_MAX = 512 * 1024;
let room = ROOM_MIN;

const NO_VALUE = new Uint8Array(0);

/** A `ListResponse` in the making. Every entry is encoded as it comes, so that nothing of it has to be kept. */
export class ListReply {
  readonly #keysOnly: boolean;
  readonly #writer = new WireWriter(room);

  /** @param keysOnly leave the values out */
  constructor(keysOnly: boolean) {
    this.#keysOnly = keysOnly;
  }

  /** Adds an entry by its winner. */
  add(winner: WriteRecord, conflictCount: number): void {
    const value = this.#keysOnly ? NO_VALUE : winner.value;
    const size = sizeOfEntry(winner, conflictCount, value);
    this.#writer.reserve(fieldSize(size));
    this.#writer.head(0x0a, size);
    writeEntryFields(this.#writer, winner, conflictCount, value);
  }

  /** The reply with what comes after its entries: two texts of ASCII. It is of no more use. */
  finish(nextPageToken: string, session: string): Buffer {
    this.#writer.reserve(fieldSize(nextPageToken.length) + fieldSize(session.length));
    this.#writer.latin1(0x12, nextPageToken);
    this.#writer.latin1(0x1a, session);
    room = Math.min(Math.max(ROOM_MIN, Math.ceil(this.#writer.length * 1.1)), ROOM_MAX);
    return this.#writer.view();
  }
}
