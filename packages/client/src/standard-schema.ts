/** The part of the Standard Schema specification (version 1) that checking needs; zod, valibot, arktype and others fit it. */

/**
 * A schema that can check a value: any library that follows Standard Schema version 1.
 *
 * @example
 * ```ts
 * import { connect, type StandardSchema } from "@meshkv/client";
 * const count: StandardSchema<number> = {
 *   "~standard": {
 *     version: 1,
 *     vendor: "mine",
 *     validate: (value) => (typeof value === "number" ? { value } : { issues: [{ message: "no number" }] }),
 *   },
 * };
 * await using kv = await connect("127.0.0.1:4000");
 * await kv.prefix("hits/", { schema: count }).set("home", 1);
 * ```
 */
export interface StandardSchema<V> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<V> | Promise<SchemaResult<V>>;
    readonly types?: { readonly input: unknown; readonly output: V } | undefined;
  };
}

/** @inline */
type SchemaResult<V> =
  | { readonly value: V; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** @inline */
interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}
