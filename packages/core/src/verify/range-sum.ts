import { ByteReader, ByteWriter, FormatError } from "../bytes.ts";
import { hashRecord } from "../digest.ts";
import type { RecordFields } from "../record.ts";

const LANES = 4;
/** Bytes of an encoded sum. */
const SUM_BYTES = LANES * 4;

/**
 * Order-independent sum over the records of a stretch of a table, modulo 2^128. Other than {@link Digest} it tells apart
 * two records of one version: their checksums count.
 */
export class RangeSum {
  readonly #lanes = new Uint32Array(LANES);
  readonly #scratch = new Uint32Array(LANES);
  #entries = 0;

  /** Records that were counted in. */
  get entries(): number {
    return this.#entries;
  }

  /** Counts a record in. */
  add(record: RecordFields & { readonly checksum: number }): void {
    hashRecord(record, this.#scratch);
    let carry = 0;
    for (let lane = 0; lane < LANES; lane += 1) {
      const sum = this.#lanes[lane]! + this.#scratch[lane]! + carry;
      this.#lanes[lane] = sum;
      carry = sum > 0xffff_ffff ? 1 : 0;
    }
    this.#entries += 1;
  }

  /** Four big-endian 32-bit integers, least significant first. */
  encode(): Uint8Array {
    const writer = new ByteWriter(SUM_BYTES);
    for (const lane of this.#lanes) writer.u32(lane);
    return writer.finish();
  }

  /** Whether an encoded sum is this one. @throws FormatError when it is none */
  matches(encoded: Uint8Array): boolean {
    if (encoded.length !== SUM_BYTES) throw new FormatError("sum of a range has another size");
    const reader = new ByteReader(encoded);
    return this.#lanes.every((lane) => reader.u32() === lane);
  }
}
