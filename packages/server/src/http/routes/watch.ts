/** Changes as server-sent events. */
import type { ServerResponse } from "node:http";
import {
  create,
  MeshkvError,
  type MessageShape,
  type WatchEvent,
  WatchEvent_Type,
  WatchRequestSchema,
  WatchResponseSchema,
} from "@meshkv/protocol";
import * as Type from "typebox/type";
import { entryJson } from "../envelope.ts";
import { encodeEvent, encodeHeartbeat, EVENT_STREAM_TYPE, writeText } from "../event-stream.ts";
import type { HttpHandlers } from "../handlers.ts";
import type { HttpCall } from "../http-call.ts";
import { headerOf, READ_ERRORS } from "../parameters.ts";
import { InputError, problemOf } from "../problem.ts";
import { type Answer, defineRoute, type Input, type Route } from "../route.ts";
import { HEADERS } from "../schemas.ts";

type Changes = MessageShape<typeof WatchResponseSchema>;

const NAMES: Readonly<Record<WatchEvent_Type, string>> = {
  [WatchEvent_Type.UNSPECIFIED]: "change",
  [WatchEvent_Type.PUT]: "put",
  [WatchEvent_Type.DELETE]: "delete",
  [WatchEvent_Type.EXPIRE]: "expire",
  [WatchEvent_Type.CONFLICT]: "conflict",
};

const DESCRIPTION = `Changes of a key or a prefix as they happen, until the client goes.

Events are named \`put\`, \`delete\`, \`expire\` and \`conflict\`; \`data\` is \`{"entry": …, "previous": …, "origin": …}\` as JSON.
\`synced\` says that the current state has been sent whole, and that what follows is live. \`id\` is a token: sent back as
\`Last-Event-ID\`, which browsers do by themselves, it resumes on any replica without a gap. \`error\` is the last event of a
stream that cannot go on; its data is a Problem. A comment comes every 15 seconds. Who is behind gets the latest state of
each key; values in between may be left out.`;

/** The route of watches. */
export function watchRoutes({ watch }: HttpHandlers): Route[] {
  if (watch === undefined) return [];
  return [
    defineRoute({
      method: "GET",
      path: "/v1/watch",
      id: "watch",
      tag: "Watch",
      operation: "watch",
      summary: "Follow changes",
      description: DESCRIPTION,
      query: Type.Object(
        {
          prefix: Type.Optional(
            Type.String({ description: "Keys that begin so; empty: every key.", examples: ["cart/"] }),
          ),
          key: Type.Optional(Type.String({ description: "One key, instead of a prefix." })),
          initial: Type.Optional(Type.Boolean({ description: "First the current state, then changes." })),
          previous: Type.Optional(Type.Boolean({ description: "Also what each change replaced." })),
          resume: Type.Optional(
            Type.String({ description: "A token, as `Last-Event-ID`, which outweighs it." }),
          ),
        },
        { additionalProperties: false },
      ),
      headers: Type.Object({
        "Last-Event-ID": Type.Optional(
          Type.String({ description: "The `id` of the last event that was seen." }),
        ),
        "Meshkv-Session": Type.Optional(HEADERS.session),
      }),
      replies: {
        200: {
          description: "Events, without end.",
          contents: {
            [EVENT_STREAM_TYPE]: {
              schema: Type.String(),
              examples: {
                put: 'event: put\nid: AQAB\ndata: {"entry":{"key":"cart/1","value":"2 apples","encoding":"utf8"}}\n\n',
              },
            },
          },
        },
      },
      errors: [...READ_ERRORS, "TOO_LARGE", "RESUME_TOO_OLD"],
      answer: (input, call) => answerWatch(watch, input, call),
    }),
  ];
}

async function answerWatch(
  watch: NonNullable<HttpHandlers["watch"]>,
  input: Input<never>,
  call: HttpCall,
): Promise<Answer> {
  const query = input.query as { readonly [name: string]: unknown };
  if (query["key"] !== undefined && query["prefix"] !== undefined) {
    const msg = "key: goes with prefix in no request: send one of them";
    throw new InputError([{ loc: ["query", "key"], msg, type: "value_error" }]);
  }
  const lastEventId = headerOf(input.headers, "last-event-id");
  const request = create(WatchRequestSchema, {
    target:
      query["key"] === undefined
        ? { case: "prefix", value: input.queryBytes("prefix") }
        : { case: "key", value: input.queryBytes("key") },
    // A browser comes back to the same URL: where it was then counts more than how it began.
    resume: lastEventId === "" ? input.queryText("resume") : lastEventId,
    initial: query["initial"] === true && lastEventId === "",
    previous: query["previous"] === true,
    session: headerOf(input.headers, "meshkv-session"),
  });
  const replies = watch(request, call)[Symbol.asyncIterator]();
  // What is wrong from the start is told with a status.
  const first = await replies.next();
  return {
    status: 200,
    headers: { "cache-control": "no-store", "x-accel-buffering": "no" },
    contentType: EVENT_STREAM_TYPE,
    stream: (response) => sendEvents(response, replies, first, call),
  };
}

type Reply = Parameters<typeof create<typeof WatchResponseSchema>>[1];

async function sendEvents(
  response: ServerResponse,
  replies: AsyncIterator<Reply>,
  first: IteratorResult<Reply>,
  { signal }: HttpCall,
): Promise<void> {
  try {
    await writeText(response, "retry: 1000\n\n", signal);
    for (let next = first; next.done !== true; next = await replies.next()) {
      await writeText(response, textOf(create(WatchResponseSchema, next.value)), signal);
    }
  } catch (thrown) {
    if (!(thrown instanceof MeshkvError)) throw thrown;
    if (!response.destroyed) response.write(encodeEvent({ name: "error", data: problemOf(thrown) }));
    if (thrown.code !== "UNAVAILABLE" && thrown.code !== "CANCELLED") throw thrown;
  } finally {
    // A handler that waits for something gets to this when that comes; nobody here can wait for it.
    void replies.return?.(undefined)?.catch(() => undefined);
    response.end();
  }
}

/** The token stands at the last event: who has seen an earlier one only must see the later ones again. */
function textOf({ events, resume, synced }: Changes): string {
  const lines = events.map((event, index) =>
    encodeEvent({
      name: NAMES[event.type] ?? "change",
      id: index === events.length - 1 && !synced && resume !== "" ? resume : undefined,
      data: eventJson(event),
    }),
  );
  if (synced) lines.push(encodeEvent({ name: "synced", id: resume === "" ? undefined : resume, data: {} }));
  return lines.length === 0 ? encodeHeartbeat(resume) : lines.join("");
}

function eventJson({ entry, previous, origin }: WatchEvent): object {
  return {
    ...(entry === undefined ? {} : { entry: entryJson(entry) }),
    ...(previous === undefined ? {} : { previous: entryJson(previous) }),
    origin,
  };
}
