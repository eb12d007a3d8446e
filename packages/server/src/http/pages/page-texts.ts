/** The pages themselves. Nothing in them comes from another server, and no script stands in them. */

const HEAD = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" type="image/svg+xml" href="/favicon.svg">`;

/** The mark of meshkv: three peers, each joined to the others. */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" role="img" aria-label="meshkv">
<g stroke="#0b7a75" stroke-width="2.5" fill="none"><path d="M16 7 6 24h20z"/></g>
<g fill="#0b7a75"><circle cx="16" cy="7" r="4.5"/><circle cx="6" cy="24" r="4.5"/><circle cx="26" cy="24" r="4.5"/></g>
</svg>
`;

/** `/docs`: every call, to be tried. */
export const DOCS_PAGE = `${HEAD}
<title>meshkv: try the API</title>
<link rel="stylesheet" href="/assets/swagger-ui.css">
<link rel="stylesheet" href="/assets/docs.css">
</head>
<body>
<div id="docs"></div>
<script src="/assets/swagger-ui-bundle.js"></script>
<script src="/assets/docs.js"></script>
</body>
</html>
`;

/** What starts the viewer of `/docs`. */
export const DOCS_SCRIPT = `"use strict";
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  // The library would send the document to its makers to be checked.
  validatorUrl: null,
});
`;

/** The style of `/docs`. */
export const DOCS_STYLE = `body { margin: 0; }
.swagger-ui .topbar { display: none; }
`;

/** `/redoc`: the same to be read. */
export const REDOC_PAGE = `${HEAD}
<title>meshkv: the API</title>
<link rel="stylesheet" href="/assets/redoc.css">
</head>
<body>
<div id="redoc"></div>
<script src="/assets/redoc.js"></script>
<script src="/assets/start-redoc.js"></script>
</body>
</html>
`;

/** What starts the viewer of `/redoc`. */
export const REDOC_SCRIPT = `"use strict";
Redoc.init("/openapi.json", { expandResponses: "200,201", nativeScrollbars: true }, document.getElementById("redoc"));
`;

/** The style of `/redoc`. */
export const REDOC_STYLE = `body { margin: 0; padding: 0; }
`;

/** The style of `/`. */
export const HOME_STYLE = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 3rem auto; padding: 0 1.25rem; }
h1 { display: flex; gap: .6rem; align-items: center; margin-bottom: .25rem; }
h1 img { width: 2.25rem; height: 2.25rem; }
pre { padding: .9rem 1rem; border-radius: .5rem; background: #8881; overflow-x: auto; }
a { color: #0b7a75; }
ul { padding-left: 1.2rem; }
.quiet { opacity: .7; }
`;

/** `/`: what this is, and where to go on. `base` is how the caller reached this server; it is escaped here. */
export function homePage(version: string, base: string): string {
  const at = base.replaceAll(/[^\w.:/[\]-]/g, "");
  return `${HEAD}
<title>meshkv</title>
<link rel="stylesheet" href="/assets/home.css">
</head>
<body>
<h1><img src="/favicon.svg" alt="">meshkv</h1>
<p>A distributed key-value store in which every server is a full, writable peer. This is one of them
<span class="quiet">(version ${version})</span>.</p>
<ul>
<li><a href="/docs">/docs</a>: try every call from the browser</li>
<li><a href="/redoc">/redoc</a>: the same, to be read</li>
<li><a href="/openapi.json">/openapi.json</a>: the same, for programs (OpenAPI 3.1)</li>
<li><a href="/v1/mesh">/v1/mesh</a>: this replica and the others</li>
<li><a href="/healthz">/healthz</a>, <a href="/readyz">/readyz</a>, <a href="/metrics">/metrics</a>: for operators</li>
</ul>
<p>From a terminal:</p>
<pre>curl -X PUT ${at}/v1/kv/greeting -d hello
curl ${at}/v1/kv/greeting
curl "${at}/v1/kv?prefix=gree"
curl -N "${at}/v1/watch?prefix=gree"</pre>
</body>
</html>
`;
}
