/** What the gRPC adapter logs to; a pino logger is one. */
export interface GrpcLogger {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
