/** The handlers that the HTTP door stands before: the same functions that gRPC calls. */
import type {
  BatchRequest,
  BatchResponseSchema,
  DeleteRequest,
  DeleteResponseSchema,
  GetManyRequest,
  GetManyResponseSchema,
  GetRequest,
  GetResponseSchema,
  ListConflictsRequest,
  ListConflictsResponseSchema,
  ListMembersRequest,
  ListMembersResponseSchema,
  ListRequest,
  ListResponseSchema,
  MessageInitShape,
  RemoveMemberRequest,
  RemoveMemberResponseSchema,
  RestoreConflictRequest,
  RestoreConflictResponseSchema,
  SetRequest,
  SetResponseSchema,
  StatusRequest,
  StatusResponseSchema,
  VerifyRequest,
  VerifyResponseSchema,
  WatchRequest,
  WatchResponseSchema,
} from "@meshkv/protocol";
import type { DescMessage } from "@meshkv/protocol";
import type { CallInfo } from "../handlers/call-info.ts";

type Unary<Request, Reply extends DescMessage> = (
  request: Request,
  call: CallInfo,
) => MessageInitShape<Reply> | Promise<MessageInitShape<Reply>>;

type Stream<Request, Reply extends DescMessage> = (
  request: Request,
  call: CallInfo,
) => AsyncIterable<MessageInitShape<Reply>>;

/** Calls of `KeyValue` and `Mesh`. A route exists only where its handler does. */
export interface HttpHandlers {
  readonly get: Unary<GetRequest, typeof GetResponseSchema>;
  readonly set: Unary<SetRequest, typeof SetResponseSchema>;
  readonly delete: Unary<DeleteRequest, typeof DeleteResponseSchema>;
  readonly list: Unary<ListRequest, typeof ListResponseSchema>;
  readonly batch: Unary<BatchRequest, typeof BatchResponseSchema>;
  readonly getMany?: Unary<GetManyRequest, typeof GetManyResponseSchema> | undefined;
  readonly watch?: Stream<WatchRequest, typeof WatchResponseSchema> | undefined;
  readonly listConflicts?: Unary<ListConflictsRequest, typeof ListConflictsResponseSchema> | undefined;
  readonly restoreConflict?: Unary<RestoreConflictRequest, typeof RestoreConflictResponseSchema> | undefined;
  readonly status: Unary<StatusRequest, typeof StatusResponseSchema>;
  readonly listMembers: Unary<ListMembersRequest, typeof ListMembersResponseSchema>;
  readonly removeMember: Unary<RemoveMemberRequest, typeof RemoveMemberResponseSchema>;
  readonly verify?: Stream<VerifyRequest, typeof VerifyResponseSchema> | undefined;
}
