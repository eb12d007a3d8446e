/** The writes of a batch, from JSON. */
import { type ConditionSchema, type MessageInitShape, type WriteSchema } from "@meshkv/protocol";
import type { Static } from "typebox/type";
import { bytesOf } from "./envelope.ts";
import { ttlOf } from "./parameters.ts";
import { InputError } from "./problem.ts";
import type { BATCH } from "./schemas.ts";

type Body = Static<typeof BATCH>;
type WriteBody = Body["writes"][number];

/** The writes as the handlers take them. */
export function writesOf({ writes }: Body): MessageInitShape<typeof WriteSchema>[] {
  return writes.map(writeOf);
}

function writeOf(write: WriteBody, index: number): MessageInitShape<typeof WriteSchema> {
  const place = ["body", "writes", index] as const;
  const key = bytesOf(write.key, write.keyEncoding, `writes[${index}].key`);
  const condition = conditionOf(write, place);
  const conditional = condition === undefined ? {} : { condition };
  if (write.op === "delete") {
    for (const name of ["value", "encoding", "ttl"] as const) {
      if (write[name] !== undefined) {
        throw refusal([...place, name], "does not go with a delete: leave it out", "extra_forbidden");
      }
    }
    return { kind: { case: "delete", value: { target: { case: "key", value: key }, ...conditional } } };
  }
  if (write.value === undefined) throw refusal([...place, "value"], "is missing", "missing");
  const value = bytesOf(write.value, write.encoding, `writes[${index}].value`);
  const ttl = ttlOf(write.ttl, [...place, "ttl"]);
  const living = ttl === undefined ? {} : { ttl };
  return { kind: { case: "set", value: { key, value, ...living, ...conditional } } };
}

function conditionOf(
  { ifVersion, ifAbsent, ifPresent }: WriteBody,
  place: readonly (string | number)[],
): MessageInitShape<typeof ConditionSchema> | undefined {
  const kinds = [
    ...(ifVersion === undefined ? [] : [{ case: "ifVersion" as const, value: ifVersion }]),
    ...(ifAbsent === undefined ? [] : [{ case: "ifAbsent" as const, value: ifAbsent }]),
    ...(ifPresent === undefined ? [] : [{ case: "ifPresent" as const, value: ifPresent }]),
  ];
  if (kinds.length > 1) {
    throw refusal(place, "has more than one of ifVersion, ifAbsent and ifPresent: keep one", "value_error");
  }
  const [kind] = kinds;
  return kind === undefined ? undefined : { kind };
}

function refusal(loc: readonly (string | number)[], text: string, type: string): InputError {
  const name = loc.slice(1).join(".");
  return new InputError([{ loc, msg: `${name}: ${text}`, type }]);
}
