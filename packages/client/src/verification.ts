/** What a comparison of replicas finds, as callers see it. */
import { durationMs, type VerifyResponse, VerifyResponse_Result_Outcome as Outcome } from "@meshkv/protocol";
import { keyText } from "./key.ts";

/**
 * What to compare.
 *
 * @example
 * ```ts
 * import { connect, type VerifyOptions } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const options: VerifyOptions = { signal: AbortSignal.timeout(600_000) };
 * for await (const event of kv.verify(options)) if (event.type === "difference") console.log(event.key);
 * ```
 */
export interface VerifyOptions {
  /** The address or id of the one member to compare with; every other member without it. */
  readonly peer?: string | undefined;
  /** Ends the comparison with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * What became of the comparison with a member: both hold the same; they differ; it could not be reached; writers were too
 * fast, so that nothing can be said of some keys; it serves no state of this mesh at present.
 *
 * @example
 * ```ts
 * import { connect, type VerifyOutcome } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const bad: VerifyOutcome[] = ["different"];
 * for await (const event of kv.verify()) if (event.type === "result") console.log(bad.includes(event.outcome));
 * ```
 */
export type VerifyOutcome =
  | "equal"
  | "different"
  | "unreachable"
  | "not-settled"
  | "not-comparable"
  | "unknown";

/**
 * What a comparison tells on its way; each event says of which replica.
 *
 * - `check`: its whole table was read again. It is sound when no row is damaged and the digest that is kept up with every write
 *   is the one that the table gives.
 * - `progress`: so many keys have been compared with those of the replica that was asked.
 * - `difference`: a key that differs; a version is undefined where there is no entry. Equal versions differ in their content.
 * - `result`: the end of the comparison with this member.
 *
 * @example
 * ```ts
 * import { connect, type VerifyEvent } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const seen: VerifyEvent["type"][] = [];
 * for await (const { type } of kv.verify()) seen.push(type);
 * console.log(seen.includes("check"));
 * ```
 */
export type VerifyEvent = {
  readonly replicaId: string;
  /** `host:port`. */
  readonly address: string;
} & (
  | {
      readonly type: "check";
      /** Keys that hold a value. */
      readonly keys: number;
      readonly isSound: boolean;
      readonly damagedRows: number;
      /** The digest that is kept up with every write: 32 hex digits. */
      readonly digest: string;
      /** The digest that the table gives. */
      readonly computedDigest: string;
    }
  | { readonly type: "progress"; readonly comparedKeys: number }
  | {
      readonly type: "difference";
      /** The key as text; `keyBytes` when it is none. */
      readonly key: string;
      readonly keyBytes: Uint8Array;
      /** On the replica that was asked. */
      readonly version: string | undefined;
      /** On this one. */
      readonly peerVersion: string | undefined;
      /** The checksum of the record on the replica that was asked; equal versions may differ in it. */
      readonly checksum: number;
      /** The checksum of the record on this one. */
      readonly peerChecksum: number;
    }
  | {
      readonly type: "result";
      readonly outcome: VerifyOutcome;
      readonly comparedKeys: number;
      readonly differingKeys: number;
      /** Keys of which nothing can be said. */
      readonly unsettledKeys: number;
      /** The digest of the replica that was asked, when the comparison ended. */
      readonly digest: string;
      /** That of this one. */
      readonly peerDigest: string;
      /** Milliseconds that it took. */
      readonly durationMs: number;
      /** For people: why it could not be compared; empty otherwise. */
      readonly reason: string;
    }
);

const OUTCOMES: Readonly<Record<number, VerifyOutcome>> = {
  [Outcome.EQUAL]: "equal",
  [Outcome.DIFFERENT]: "different",
  [Outcome.UNREACHABLE]: "unreachable",
  [Outcome.NOT_SETTLED]: "not-settled",
  [Outcome.NOT_COMPARABLE]: "not-comparable",
};

/** The message as callers see it; undefined when it is of a kind that this version does not know. */
export function verifyEventOf({ replicaId, address, kind }: VerifyResponse): VerifyEvent | undefined {
  const about = { replicaId, address };
  switch (kind.case) {
    case "check": {
      const { keys, digest, computedDigest, damagedRows } = kind.value;
      const isSound = damagedRows === 0n && digest === computedDigest;
      const counts = { keys: Number(keys), damagedRows: Number(damagedRows) };
      return { ...about, type: "check", isSound, ...counts, digest, computedDigest };
    }
    case "progress":
      return { ...about, type: "progress", comparedKeys: Number(kind.value.keys) };
    case "difference": {
      const { key, version, peerVersion, checksum, peerChecksum } = kind.value;
      const versions = { version: version || undefined, peerVersion: peerVersion || undefined };
      const name = { key: keyText(key), keyBytes: key };
      return { ...about, type: "difference", ...name, ...versions, checksum, peerChecksum };
    }
    case "result": {
      const { outcome, comparedKeys, differingKeys, unsettledKeys, duration } = kind.value;
      const { digest, peerDigest, reason } = kind.value;
      return {
        ...about,
        type: "result",
        outcome: OUTCOMES[outcome] ?? "unknown",
        comparedKeys: Number(comparedKeys),
        differingKeys: Number(differingKeys),
        unsettledKeys: Number(unsettledKeys),
        digest,
        peerDigest,
        durationMs: duration === undefined ? 0 : durationMs(duration),
        reason,
      };
    }
    default:
      return undefined;
  }
}
