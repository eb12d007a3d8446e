/** What a verification finds, as lines of text and as JSON. */
import {
  durationMs,
  type VerifyResponse,
  type VerifyResponse_Check,
  type VerifyResponse_Difference,
  type VerifyResponse_Result,
  VerifyResponse_Result_Outcome as Outcome,
  VerifyResponseSchema,
  toJson,
} from "@meshkv/protocol";
import { base64Of, lineTextOf, utf8TextOf } from "./byte-text.ts";
import { durationText } from "./mesh-output.ts";
import { formatTable } from "./table.ts";

const OUTCOMES: Readonly<Record<number, string>> = {
  [Outcome.EQUAL]: "equal",
  [Outcome.DIFFERENT]: "DIFFERENT",
  [Outcome.UNREACHABLE]: "unreachable",
  [Outcome.NOT_SETTLED]: "not settled",
  [Outcome.NOT_COMPARABLE]: "not comparable",
};

interface Side {
  readonly address: string;
  check: VerifyResponse_Check | undefined;
  result: VerifyResponse_Result | undefined;
}

/** Collects the responses of one verification. */
export class Verification {
  readonly #sides = new Map<string, Side>();
  readonly #base64: boolean;

  constructor(base64: boolean) {
    this.#base64 = base64;
  }

  /** Takes a response in; returns the line for a key that differs. */
  add({ replicaId, address, kind }: VerifyResponse): string | undefined {
    const side = this.#sides.get(replicaId) ?? { address, check: undefined, result: undefined };
    this.#sides.set(replicaId, side);
    switch (kind.case) {
      case "check":
        side.check = kind.value;
        return undefined;
      case "result":
        side.result = kind.value;
        return undefined;
      case "difference":
        return differenceLine(kind.value, address, this.#base64);
      default:
        return undefined;
    }
  }

  /** Whether something differs, or is damaged. */
  get isWrong(): boolean {
    const sides = [...this.#sides.values()];
    return sides.some(
      ({ check, result }) =>
        result?.outcome === Outcome.DIFFERENT || (check !== undefined && tableText(check) !== SOUND),
    );
  }

  /** What became of each member. */
  get outcomes(): readonly Outcome[] {
    return [...this.#sides.values()].flatMap(({ result }) => result?.outcome ?? []);
  }

  /** The table, and a reason for each member that could not be compared. */
  lines(): string[] {
    const sides = [...this.#sides];
    const rows = sides.map(([replicaId, { address, check, result }]) => [
      replicaId,
      plain(address) || "-",
      result === undefined ? "this one" : (OUTCOMES[result.outcome] ?? "unknown"),
      String(result?.comparedKeys ?? check?.keys ?? 0n),
      result === undefined ? "-" : String(result.differingKeys),
      result === undefined ? "-" : String(result.unsettledKeys),
      check === undefined ? "-" : tableText(check),
      result?.duration === undefined ? "-" : durationText(durationMs(result.duration)),
    ]);
    const reasons = sides.flatMap(([replicaId, { result }]) =>
      result === undefined || result.reason === "" ? [] : [`${replicaId}: ${plain(result.reason)}`],
    );
    const head = ["REPLICA", "ADDRESS", "RESULT", "KEYS", "DIFFER", "UNSETTLED", "TABLE", "TOOK"];
    return [...formatTable([head, ...rows]), ...reasons];
  }
}

const SOUND = "sound";

function tableText({ digest, computedDigest, damagedRows }: VerifyResponse_Check): string {
  if (damagedRows > 0n) return `${damagedRows} damaged`;
  return digest === computedDigest ? SOUND : "not as written";
}

function differenceLine(difference: VerifyResponse_Difference, address: string, base64: boolean): string {
  const { key, version, peerVersion } = difference;
  const shown = base64 ? base64Of(key) : lineTextOf(key);
  if (version === peerVersion && version !== "")
    return `differs: ${shown}: one version, ${version}, with another content at ${plain(address)}`;
  return `differs: ${shown}: here ${version || "nothing"}, at ${plain(address)} ${peerVersion || "nothing"}`;
}

/** How far the comparison with a member is. */
export function progressText({ address, kind }: VerifyResponse): string {
  return `${plain(address)}: ${kind.case === "progress" ? kind.value.keys : 0n} keys compared`;
}

/** A response as JSON; the key of a difference as in other verbs. */
export function verifyJson(response: VerifyResponse, base64: boolean): object {
  const { replicaId, address, kind } = response;
  const about = { type: kind.case ?? "unknown", replicaId, address };
  if (kind.case === "difference") {
    const { key, version, peerVersion, checksum, peerChecksum } = kind.value;
    const text = base64 ? undefined : utf8TextOf(key);
    const shown = { key: text ?? base64Of(key), encoding: text === undefined ? "base64" : "utf8" };
    return { ...about, ...shown, version, peerVersion, checksum, peerChecksum };
  }
  const whole = toJson(VerifyResponseSchema, response, { alwaysEmitImplicit: true });
  const part = kind.case === undefined ? undefined : (whole as Record<string, unknown>)[kind.case];
  return { ...about, ...(part as object | undefined) };
}

function plain(text: string): string {
  return lineTextOf(new TextEncoder().encode(text));
}
