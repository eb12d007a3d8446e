/** What operators ask: is it alive, can it be used, how is it doing. */
import * as Type from "typebox/type";
import { type Answer, defineRoute, type Route } from "../route.ts";
import { READINESS } from "../schemas.ts";

/** Whether a replica can be used, and why not. */
export interface Readiness {
  readonly ready: boolean;
  readonly state: string;
  /** For people; empty when it is ready. */
  readonly reason: string;
}

/** What these routes show. */
export interface OperationSources {
  readonly readiness: () => Readiness;
  /** The metrics in the text format of Prometheus. */
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>;
}

const READY_EXAMPLE = { ready: true, state: "ready", reason: "" };
const STARTING_EXAMPLE = { ready: false, state: "starting", reason: "this server is starting: try again" };

/** The routes of operation. */
export function operationRoutes({ readiness, metrics }: OperationSources): Route[] {
  return [
    defineRoute({
      method: "GET",
      path: "/healthz",
      id: "isAlive",
      tag: "Operation",
      operation: undefined,
      summary: "Is the process alive?",
      replies: {
        200: {
          description: "It is.",
          contents: {
            "application/json": {
              schema: Type.Object({ alive: Type.Boolean() }),
              examples: { alive: { alive: true } },
            },
          },
        },
      },
      errors: ["INVALID_ARGUMENT"],
      answer: (): Answer => ({ status: 200, body: { alive: true } }),
    }),
    defineRoute({
      method: "GET",
      path: "/readyz",
      id: "isReady",
      tag: "Operation",
      operation: undefined,
      summary: "Can this replica be used?",
      description: "Its storage is open and takes writes, its state is complete, and its clock is right.",
      replies: {
        200: {
          description: "It can.",
          contents: { "application/json": { schema: READINESS, examples: { ready: READY_EXAMPLE } } },
        },
        503: {
          description: "It cannot, or not wholly: `state` says what it lacks. Another replica may serve.",
          contents: { "application/json": { schema: READINESS, examples: { starting: STARTING_EXAMPLE } } },
        },
      },
      errors: ["INVALID_ARGUMENT"],
      answer: (): Answer => {
        const found = readiness();
        return { status: found.ready ? 200 : 503, body: found };
      },
    }),
    defineRoute({
      method: "GET",
      path: "/metrics",
      id: "metrics",
      tag: "Operation",
      operation: undefined,
      summary: "Metrics for Prometheus",
      replies: {
        200: {
          description: "Every metric, in the text format of Prometheus.",
          contents: {
            "text/plain": { schema: Type.String(), examples: { metric: "meshkv_keys 42\n" } },
          },
        },
      },
      errors: ["INVALID_ARGUMENT"],
      async answer(): Promise<Answer> {
        const { text, contentType } = await metrics();
        return { status: 200, contentType, body: text };
      },
    }),
  ];
}
