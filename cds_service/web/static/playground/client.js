// A CDS Client: discovery, prefetch templates, the call, feedback. Addresses are relative to the page.

const FHIR = "demo/fhir";
const JSON_TYPE = "application/json";

/** One exchange as the tabs show it. Never throws for an HTTP error; `body` is null where there is no JSON. */
export async function exchange(path, document) {
  const url = new URL(path, globalThis.document.baseURI).href;
  const sent = document === undefined ? undefined : typeof document === "string" ? document : JSON.stringify(document);
  const began = performance.now();
  const options = sent === undefined ? {} : { method: "POST", headers: { "Content-Type": JSON_TYPE }, body: sent };
  try {
    const response = await fetch(url, { ...options, credentials: "omit" });
    const text = await response.text();
    const took = performance.now() - began;
    const timing = response.headers.get("Server-Timing") ?? "";
    return { url, sent, status: response.status, ok: response.ok, body: parse(text), took, timing, bytes: text.length };
  } catch (failure) {
    return { url, sent, status: 0, ok: false, body: null, took: performance.now() - began, failure: String(failure) };
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The sentences of an OperationOutcome, or what else can be said about a failed exchange. */
export function explain(answer) {
  const issues = (answer.body?.issue ?? []).map((one) => one.diagnostics || one.details?.text).filter(Boolean);
  if (issues.length) return issues;
  return [answer.status ? `The service answered with status ${answer.status}.` : `No answer: ${answer.failure}`];
}

export async function discover() {
  const answer = await exchange("cds-services");
  if (!answer.ok) throw new Error(explain(answer).join(" "));
  return answer;
}

/** CH-066 to CH-074: `{{context.name}}` is replaced by that member of the context, then the query is encoded. */
export function resolveTemplate(template, context) {
  const filled = template.replace(/\{\{\s*context\.(\w+)\s*\}\}/g, (_, name) => context[name] ?? "");
  const [path, query] = splitOnce(filled, "?");
  if (!query) return path;
  const encoded = query.split("&").map((pair) => splitOnce(pair, "=").map(encodeURIComponent).join("="));
  return `${path}?${encoded.join("&")}`;
}

function splitOnce(text, mark) {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + mark.length)];
}

/** The prefetch of a call. `left` keys are not sent; `failed` ones are answered by an OperationOutcome. */
export async function prefetch(templates, context, left, failed) {
  const began = performance.now();
  const keys = Object.keys(templates).filter((key) => !left.has(key));
  const queries = keys.map((key) => ({ key, query: resolveTemplate(templates[key], context) }));
  const found = await Promise.all(queries.map(({ key, query }) => fetchKey(key, query, failed)));
  const data = Object.fromEntries(found.map((one) => [one.key, one.value]));
  return { data, queries: found, took: performance.now() - began };
}

async function fetchKey(key, query, failed) {
  if (failed.has(key)) return { key, query, took: 0, status: "failed on purpose", value: outcome("timeout") };
  const answer = await exchange(`${FHIR}/${query}`);
  const value = answer.body ?? outcome("exception");
  return { key, query, took: answer.took, status: answer.status, value };
}

function outcome(code) {
  return { resourceType: "OperationOutcome", issue: [{ severity: "error", code }] };
}

export function call(serviceId, request) {
  return exchange(`cds-services/${encodeURIComponent(serviceId)}`, request);
}

export function sendFeedback(serviceId, item) {
  const feedback = [{ ...item, outcomeTimestamp: new Date().toISOString() }];
  return exchange(`cds-services/${encodeURIComponent(serviceId)}/feedback`, { feedback });
}

export function newInstance() {
  // randomUUID exists on secure origins only; a container may be reached by plain http under its name.
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

export async function loadChoices() {
  const answer = await exchange("demo/playground/choices");
  if (!answer.ok) throw new Error(explain(answer).join(" "));
  return answer.body;
}

/** The ordering session a situation was written with. */
export async function loadSituation(name) {
  const answer = await exchange(`demo/requests/${encodeURIComponent(name)}`);
  return answer.ok ? answer.body : null;
}

export async function renderMarkdown(texts) {
  if (!texts.length) return [];
  const answer = await exchange("demo/playground/markdown", { texts });
  return answer.ok ? answer.body.html : texts.map(() => null);
}

export async function validate(messages) {
  const answer = await exchange("demo/playground/validate", messages);
  return answer.ok ? answer.body : null;
}

export function inspect(text) {
  return exchange("demo/playground/check", text);
}

/** One line for a POSIX shell. */
export function curlLine(answer) {
  const quoted = answer.sent.replaceAll("'", `'\\''`);
  return `curl -s '${answer.url}' -H 'Content-Type: application/json' --data-raw '${quoted}'`;
}
