const SHOWN_BYTES_MAX = 48;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Bytes as they may stand in a message: quoted, cut, and escaped so that no control character reaches a log or a
 * terminal. Text in UTF-8 shows as text, anything else as `\xNN`.
 */
export function quoteBytes(bytes: Uint8Array): string {
  const rest = bytes.length > SHOWN_BYTES_MAX ? ` (${bytes.length} bytes)` : "";
  const shown = bytes.subarray(0, SHOWN_BYTES_MAX);
  return `"${textOf(shown, rest !== "") ?? hexOf(shown)}${rest === "" ? '"' : '…"'}${rest}`;
}

/** A text as it may stand in a message. */
export function quoteText(text: string): string {
  return quoteBytes(new TextEncoder().encode(text.slice(0, 4 * SHOWN_BYTES_MAX)));
}

function textOf(bytes: Uint8Array, isCut: boolean): string | undefined {
  // The cut may have gone through a character of up to four bytes.
  for (let dropped = 0; dropped <= (isCut ? 3 : 0); dropped += 1) {
    try {
      return UTF8.decode(bytes.subarray(0, bytes.length - dropped)).replace(/[\p{C}\p{Z}"\\]/gu, escapeOf);
    } catch {
      // Not text up to here.
    }
  }
  return undefined;
}

function escapeOf(character: string): string {
  if (character === " ") return character;
  if (character === '"' || character === "\\") return `\\${character}`;
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, "0")}`,
  ).join("");
}
