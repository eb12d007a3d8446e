/** What a route is: one declaration from which the server, the checks and the OpenAPI document are made. */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { ErrorCode } from "@meshkv/core";
import type { Static, TObject, TSchema } from "typebox/type";
import type { HttpCall } from "./http-call.ts";

/** The methods that routes have; HEAD and OPTIONS follow from them. */
export type Method = "GET" | "PUT" | "POST" | "DELETE";

/** The parts of the API, as the pages group them. */
export type Tag = "Keys" | "Many keys" | "Watch" | "Conflicts" | "Mesh" | "Operation";

/** A body in one media type. */
export interface Content {
  readonly schema: TSchema;
  /** Shown on the pages; by name. */
  readonly examples?: Readonly<Record<string, unknown>>;
}

/** Bodies by media type. */
export type Contents = Readonly<Record<string, Content>>;

/** A reply that is no error. */
export interface DocumentedReply {
  readonly description: string;
  readonly headers?: TObject;
  readonly contents?: Contents;
}

/** A body that a request may have. */
export interface DocumentedBody {
  readonly description?: string;
  readonly isRequired: boolean;
  readonly contents: Contents;
  /** JSON, and nothing else, is taken; checked against the schema of `application/json`. */
  readonly isJson: boolean;
  readonly limit: "value" | "batch" | "other";
}

/** What a request says, checked. */
export interface Input<Query extends TObject = TObject> {
  readonly path: Readonly<Record<string, string>>;
  readonly query: Static<Query>;
  /** A query parameter as text; empty when it is not there. */
  queryText(name: string): string;
  /** A query parameter as bytes: keys need not be text. Empty when it is not there. */
  queryBytes(name: string): Uint8Array;
  readonly headers: IncomingHttpHeaders;
  /** Undefined when there is none; parsed and checked where the route takes JSON. */
  readonly json: unknown;
  readonly bytes: Uint8Array;
  readonly isHead: boolean;
}

/** An answer. */
export type Answer =
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly contentType?: string;
      /** An object is sent as JSON. */
      readonly body?: Uint8Array | string | object;
    }
  | {
      readonly status: 200;
      readonly headers: Readonly<Record<string, string>>;
      readonly contentType: string;
      /** Writes the body itself, and ends it. */
      readonly stream: (response: ServerResponse) => Promise<void>;
    };

/** One route. */
export interface Route {
  readonly method: Method;
  /** With parameters in braces, as OpenAPI writes it. */
  readonly path: string;
  readonly id: string;
  readonly tag: Tag;
  /** The kind under which metrics count it; undefined: not counted. */
  readonly operation: string | undefined;
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: TObject;
  readonly query?: TObject;
  readonly headers?: TObject;
  readonly body?: DocumentedBody;
  readonly replies: Readonly<Record<number, DocumentedReply>>;
  /** Every code with which it can fail. */
  readonly errors: readonly ErrorCode[];
  readonly answer: (input: Input<never>, call: HttpCall) => Answer | Promise<Answer>;
}

type RouteDeclaration<Query extends TObject> = Omit<Route, "query" | "answer"> & {
  readonly query?: Query;
  readonly answer: (input: Input<Query>, call: HttpCall) => Answer | Promise<Answer>;
};

/** Declares a route; what `answer` is given has the type that the schema says. */
export function defineRoute<Query extends TObject>(route: RouteDeclaration<Query>): Route {
  return route as unknown as Route;
}
