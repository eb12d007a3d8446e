/** What the runtime logs to; a pino logger is one. Values of keys are never logged. */
export interface EventLog {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
  debug(fields: object, message: string): void;
}
