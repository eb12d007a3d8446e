/** Checks what a request says against the schema of its route, and tells what is wrong as users of FastAPI know it. */
import { Check, Errors } from "typebox/schema";
import type { TObject, TSchema } from "typebox/type";
import { quoteText } from "../handlers/quote-bytes.ts";
import type { Detail } from "./field-places.ts";
import { InputError } from "./problem.ts";

/** Mistakes that are told of one request. */
const DETAILS_MAX = 20;

type Place = readonly (string | number)[];
type Found = ReturnType<typeof Errors>[1][number];

/** The parameters of a query as their schema has them: numbers and truth values come as texts. */
export function checkQuery(
  schema: TObject,
  query: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(query)) {
    const property: TSchema | undefined = Object.hasOwn(schema.properties, name)
      ? schema.properties[name]
      : undefined;
    values[name] = property === undefined ? value : fromText(property, value);
  }
  requireValid(schema, values, ["query"]);
  return values;
}

/** A body of JSON. */
export function checkBody(schema: TSchema, bytes: Uint8Array): unknown {
  let value: unknown;
  try {
    value = JSON.parse(UTF8.decode(bytes));
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : "it is not UTF-8";
    throw new InputError([
      { loc: ["body"], msg: `the body is not JSON: ${quoteText(reason)}`, type: "json_invalid" },
    ]);
  }
  requireValid(schema, value, ["body"]);
  return value;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

function requireValid(schema: TSchema, value: unknown, place: Place): void {
  if (Check(schema, value)) return;
  const [, errors] = Errors(schema, value);
  throw new InputError(detailsOf(errors, value, place).slice(0, DETAILS_MAX));
}

function fromText(schema: TSchema, value: unknown): unknown {
  if (typeof value !== "string" || !("type" in schema)) return value;
  if (schema.type === "integer" && /^-?[0-9]{1,15}$/.test(value)) return Number(value);
  if (schema.type === "boolean") {
    // A flag may stand alone.
    if (value === "true" || value === "1" || value === "") return true;
    if (value === "false" || value === "0") return false;
  }
  return value;
}

function detailsOf(errors: readonly Found[], value: unknown, place: Place): Detail[] {
  // An alternative is told once, not for each branch that did not fit.
  const alternatives = errors.filter(({ keyword }) => keyword === "anyOf").map((e) => e.instancePath);
  return errors.flatMap((error): Detail[] => {
    const { keyword, instancePath } = error;
    const loc = [...place, ...partsOf(instancePath)];
    if (keyword === "boolean") return [];
    if (keyword !== "anyOf" && alternatives.some((path) => instancePath.startsWith(path))) return [];
    if (keyword === "required") {
      return error.params.requiredProperties.map((name) => ({
        loc: [...loc, name],
        msg: `${name}: is missing`,
        type: "missing",
      }));
    }
    if (keyword === "additionalProperties") {
      return error.params.additionalProperties.map((name) => ({
        loc: [...loc, name.slice(0, 80)],
        msg: `${quoteText(name)}: there is no such ${place[0] === "query" ? "parameter" : "field"}; is it misspelt?`,
        type: "extra_forbidden",
      }));
    }
    const name = String(loc.at(-1) ?? "body");
    return [
      { loc, msg: `${name}: ${shown(valueAt(value, instancePath))} ${wishOf(error)}`, type: typeOf(error) },
    ];
  });
}

function partsOf(pointer: string): (string | number)[] {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll("~1", "/").replaceAll("~0", "~")));
}

function valueAt(value: unknown, pointer: string): unknown {
  let found = value;
  for (const part of partsOf(pointer)) {
    found =
      typeof found === "object" && found !== null
        ? (found as Readonly<Record<string | number, unknown>>)[part]
        : undefined;
  }
  return found;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "string" ? quoteText(value) : String(value);
}

function wishOf(error: Found): string {
  switch (error.keyword) {
    case "type":
      return `is not what is asked for: send a ${String(error.params.type)}`;
    case "enum":
      return `is none of ${error.params.allowedValues.map((value) => JSON.stringify(value)).join(", ")}`;
    default:
      return error.message;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  minLength: "string_too_short",
  maxLength: "string_too_long",
  pattern: "string_pattern_mismatch",
  minimum: "greater_than_equal",
  maximum: "less_than_equal",
  minItems: "too_short",
  maxItems: "too_long",
  enum: "enum",
  const: "literal_error",
  anyOf: "union_error",
};

const TYPE_ERRORS: Readonly<Record<string, string>> = {
  string: "string_type",
  integer: "int_parsing",
  number: "float_parsing",
  boolean: "bool_parsing",
  array: "list_type",
  object: "dict_type",
};

function typeOf(error: Found): string {
  if (error.keyword === "type") return TYPE_ERRORS[String(error.params.type)] ?? "type_error";
  return TYPES[error.keyword] ?? "value_error";
}
