/** What a verification finds, as lines of text and as JSON. */
import type { VerifyEvent, VerifyOutcome } from "@meshkv/client";
import { base64Of, lineTextOf, utf8TextOf } from "./byte-text.ts";
import { durationText } from "./mesh-output.ts";
import { formatTable } from "./table.ts";

const OUTCOMES: Readonly<Record<VerifyOutcome, string>> = {
  equal: "equal",
  different: "DIFFERENT",
  unreachable: "unreachable",
  "not-settled": "not settled",
  "not-comparable": "not comparable",
  unknown: "unknown",
};

type EventOf<Type extends VerifyEvent["type"]> = Extract<VerifyEvent, { readonly type: Type }>;

interface Side {
  readonly address: string;
  check: EventOf<"check"> | undefined;
  result: EventOf<"result"> | undefined;
}

/** Collects the events of one verification. */
export class Verification {
  readonly #sides = new Map<string, Side>();
  readonly #base64: boolean;

  constructor(base64: boolean) {
    this.#base64 = base64;
  }

  /** Takes an event in; returns the line for a key that differs. */
  add(event: VerifyEvent): string | undefined {
    const { replicaId, address } = event;
    const side = this.#sides.get(replicaId) ?? { address, check: undefined, result: undefined };
    this.#sides.set(replicaId, side);
    if (event.type === "difference") return differenceLine(event, this.#base64);
    if (event.type === "check") side.check = event;
    if (event.type === "result") side.result = event;
    return undefined;
  }

  /** Whether something differs, or is damaged. */
  get isWrong(): boolean {
    const sides = [...this.#sides.values()];
    return sides.some(
      ({ check, result }) => result?.outcome === "different" || (check !== undefined && !check.isSound),
    );
  }

  /** What became of each member. */
  get outcomes(): readonly VerifyOutcome[] {
    return [...this.#sides.values()].flatMap(({ result }) => result?.outcome ?? []);
  }

  /** The table, and a reason for each member that could not be compared. */
  lines(): string[] {
    const sides = [...this.#sides];
    const rows = sides.map(([replicaId, { address, check, result }]) => [
      replicaId,
      plain(address) || "-",
      result === undefined ? "this one" : OUTCOMES[result.outcome],
      String(result?.comparedKeys ?? check?.keys ?? 0),
      result === undefined ? "-" : String(result.differingKeys),
      result === undefined ? "-" : String(result.unsettledKeys),
      check === undefined ? "-" : tableText(check),
      result === undefined ? "-" : durationText(result.durationMs),
    ]);
    const reasons = sides.flatMap(([replicaId, { result }]) =>
      result === undefined || result.reason === "" ? [] : [`${replicaId}: ${plain(result.reason)}`],
    );
    const head = ["REPLICA", "ADDRESS", "RESULT", "KEYS", "DIFFER", "UNSETTLED", "TABLE", "TOOK"];
    return [...formatTable([head, ...rows]), ...reasons];
  }
}

function tableText({ isSound, damagedRows }: EventOf<"check">): string {
  if (damagedRows > 0) return `${damagedRows} damaged`;
  return isSound ? "sound" : "not as written";
}

function differenceLine(difference: EventOf<"difference">, base64: boolean): string {
  const { keyBytes, address, version, peerVersion } = difference;
  const shown = base64 ? base64Of(keyBytes) : lineTextOf(keyBytes);
  if (version !== undefined && version === peerVersion)
    return `differs: ${shown}: one version, ${version}, with another content at ${plain(address)}`;
  return `differs: ${shown}: here ${version ?? "nothing"}, at ${plain(address)} ${peerVersion ?? "nothing"}`;
}

/** How far the comparison with a member is. */
export function progressText({ address, comparedKeys }: EventOf<"progress">): string {
  return `${plain(address)}: ${comparedKeys} keys compared`;
}

/**
 * An event as JSON: its fields are those of `meshkv.v1.VerifyResponse`, in the JSON form of protocol buffers; the key of a
 * difference as in other verbs.
 */
export function verifyJson(event: VerifyEvent, base64: boolean): object {
  const { type, replicaId, address } = event;
  return { type, replicaId, address, ...fieldsOf(event, base64) };
}

function fieldsOf(event: VerifyEvent, base64: boolean): object {
  switch (event.type) {
    case "check": {
      const { keys, digest, computedDigest, damagedRows } = event;
      return { keys: String(keys), digest, computedDigest, damagedRows: String(damagedRows) };
    }
    case "progress":
      return { keys: String(event.comparedKeys) };
    case "difference": {
      const { keyBytes, version = "", peerVersion = "", checksum, peerChecksum } = event;
      const text = base64 ? undefined : utf8TextOf(keyBytes);
      const key = { key: text ?? base64Of(keyBytes), encoding: text === undefined ? "base64" : "utf8" };
      return { ...key, version, peerVersion, checksum, peerChecksum };
    }
    case "result": {
      const { outcome, digest, peerDigest, reason } = event;
      return {
        outcome: `OUTCOME_${outcome === "unknown" ? "UNSPECIFIED" : outcome.toUpperCase().replaceAll("-", "_")}`,
        differingKeys: String(event.differingKeys),
        digest,
        peerDigest,
        comparedKeys: String(event.comparedKeys),
        unsettledKeys: String(event.unsettledKeys),
        duration: `${event.durationMs / 1000}s`,
        reason,
      };
    }
  }
}

function plain(text: string): string {
  return lineTextOf(new TextEncoder().encode(text));
}
