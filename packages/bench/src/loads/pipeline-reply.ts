/**
 * Counts the results of a pipeline's reply in its bytes (`meshkv.v1.PipelineResponse`), without decoding them: a load
 * generator that decodes is slower than the server that it measures.
 */

const RESULTS_TAG = (1 << 3) | 2;
const ERROR_FIELD = 7;
const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** The number of results. Throws when one of them is an error, and on bytes that are no such reply. */
export function countResults(reply: Uint8Array): number {
  const reader = new Reader(reply);
  let count = 0;
  while (reader.at < reply.length) {
    if (reader.varint() !== RESULTS_TAG) throw new Error("a reply has an unknown field");
    const end = reader.varint() + reader.at;
    while (reader.at < end) {
      const tag = reader.varint();
      if (tag >>> 3 === ERROR_FIELD) throw new Error(`a result is an error: ${text(reply, reader.at, end)}`);
      const type = tag & 7;
      if (type !== VARINT && type !== LENGTH_DELIMITED)
        throw new Error(`a result has a field of type ${type}`);
      const number = reader.varint();
      if (type === LENGTH_DELIMITED) reader.at += number;
    }
    count += 1;
  }
  return count;
}

function text(bytes: Uint8Array, from: number, to: number): string {
  return new TextDecoder().decode(bytes.subarray(from, to)).replaceAll(/[^\x20-\x7e]+/g, " ");
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 35; factor *= 128) {
      const byte = this.#bytes[this.at];
      if (byte === undefined) throw new Error("a reply ends too early");
      this.at += 1;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new Error("a number is too long");
  }
}
