/** Something in the engine's files that neither orderly nor interrupted writing leaves behind. */
export interface FileFinding {
  /** The file's name. */
  readonly file: string;
  /** Byte of the file at which the trouble begins. */
  readonly offset: number;
  readonly message: string;
}
