/** What browsers are told about every answer, and about the pages. */

/** Of everything that is no page: nothing in it is to be run or guessed. */
export const API_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-cache",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Of the pages: everything comes from this server, and no script stands in the page itself. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  // Both viewers put style elements into the page while they draw it, and ReDoc searches in a worker that it makes.
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "x-frame-options": "DENY",
};
