// graphql-http's audits against a running server; prints one JSON list.
// Usage: node run.mjs <url> <token> [folder that holds node_modules]
import { createRequire } from "node:module";
import { join } from "node:path";

const [url, token, folder = import.meta.dirname] = process.argv.slice(2);
const { auditServer } = createRequire(join(folder, "package.json"))("graphql-http");

const fetchFn = (address, init = {}) =>
  fetch(address, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });

const results = await auditServer({ url, fetchFn });
const told = await Promise.all(
  results.map(async ({ id, name, status, reason, response }) => ({
    id,
    name,
    status,
    reason: reason ?? null,
    http: response?.status ?? null,
    body: response && !response.bodyUsed ? await response.text() : null,
  })),
);
console.log(JSON.stringify(told));
