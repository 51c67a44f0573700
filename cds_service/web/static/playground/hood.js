// The tabs under the cards: what was sent, what came back, and how both were judged.

import { byId, fill, h, json, table, wireTabs } from "./dom.js";
import { curlLine, explain, validate } from "./client.js";
import { renderTrace } from "./trace.js";

const TABS = {
  trace: "Decision trace",
  request: "Request",
  reply: "Reply",
  validation: "Validation",
  timing: "Timing",
  curl: "curl",
  feedback: "Feedback",
};
const sentFeedback = [];
let choose = () => {};

export function buildHood(onChoose) {
  const tabs = Object.entries(TABS).map(([name, title]) =>
    h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}` }, title),
  );
  const panels = Object.keys(TABS).map((name) =>
    h("div", { role: "tabpanel", id: `panel-${name}`, "aria-labelledby": `tab-${name}`, tabindex: "0" }),
  );
  fill(byId("tabs"), tabs);
  fill(byId("tab-panels"), panels);
  choose = wireTabs(tabs, (id) => onChoose(id.replace("tab-", "")));
  showFeedback();
  openTab("trace");
}

export function openTab(name) {
  choose(byId(name in TABS ? `tab-${name}` : "tab-trace"), false);
}

/** `made` is {request, answer, prefetch, markdownTook, discovery}. */
export async function showCall(made) {
  panel("request", h("p", { class: "dim" }, `POST ${made.answer.url}`), json(made.request));
  panel("reply", h("p", { class: "dim" }, `Status ${made.answer.status}`), json(made.answer.body));
  panel("trace", made.answer.ok ? renderTrace(made.answer.body) : refusal(made.answer));
  panel("timing", renderTiming(made));
  panel("curl", renderCurl(made.answer));
  await showValidation(made);
}

function panel(name, ...children) {
  fill(byId(`panel-${name}`), children);
}

function refusal(answer) {
  return h("div", {}, h("p", {}, `The call was refused with status ${answer.status}:`), h("ul", {}, explain(answer).map((one) => h("li", {}, one))));
}

async function showValidation(made) {
  const messages = { "discovery:strict": made.discovery.body, request: made.request };
  if (made.answer.ok) messages["response:strict"] = made.answer.body;
  const last = sentFeedback.at(-1);
  if (last) messages.feedback = JSON.parse(last.answer.sent);
  const found = await validate(messages);
  if (!found) return panel("validation", h("p", {}, "The server could not validate the messages."));
  panel(
    "validation",
    h("p", {}, "Each message against the JSON Schema that comes with the service."),
    table("Validation", ["Message", "Result"], Object.entries(found).map(([name, mistakes]) => [name, verdict(mistakes)])),
  );
}

function verdict(mistakes) {
  if (!mistakes.length) return h("span", { class: "good" }, "✓ valid");
  return h("ul", { class: "bad" }, mistakes.map((one) => h("li", {}, one)));
}

function renderTiming(made) {
  const rows = [
    ["Prefetch, all queries at once", ms(made.prefetch.took), `${made.prefetch.queries.length} queries`],
    ["The call, as the browser sees it", ms(made.answer.took), `${kilobytes(made.answer.sent.length)} sent, ${kilobytes(made.answer.bytes ?? 0)} received`],
    ["Details made safe HTML", ms(made.markdownTook), "by the server, for this page"],
  ];
  for (const part of made.answer.timing?.split(",").filter(Boolean) ?? []) {
    const [name, took] = part.split(";dur=");
    rows.push([`In the service: ${name.trim()}`, `${took} ms`, "Server-Timing"]);
  }
  const hint = made.answer.timing ? null : h("p", { class: "dim" }, "CDS_SERVER_TIMING=on adds where the time went inside the service.");
  const queries = made.prefetch.queries.map((one) => [one.key, String(one.status), ms(one.took), h("code", {}, decodeURIComponent(one.query))]);
  return h("div", {}, table("Timing", ["Step", "Took", "Remark"], rows), hint, table("Prefetch queries", ["Key", "Status", "Took", "Query"], queries));
}

function ms(took) {
  return `${took.toFixed(1)} ms`;
}

function kilobytes(length) {
  return `${(length / 1024).toFixed(1)} kB`;
}

function renderCurl(answer) {
  const line = curlLine(answer);
  const status = h("span", { role: "status" });
  const shown = h("textarea", { class: "code", rows: "8", readonly: true, "aria-label": "curl command", spellcheck: "false" });
  shown.value = line;
  const copy = h("button", { type: "button" }, "Copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line);
      status.textContent = "Copied.";
    } catch {
      shown.select();
      status.textContent = "Selected; press Ctrl+C or Cmd+C.";
    }
  });
  return h("div", {}, h("p", {}, "The same call for a POSIX shell, in one line."), shown, h("p", { class: "row" }, copy, status));
}

export function noteFeedback(what, answer) {
  sentFeedback.push({ what, answer });
  showFeedback();
}

function showFeedback() {
  const rows = sentFeedback
    .map((one) => [one.what, one.answer.ok ? `${one.answer.status}, kept` : `${one.answer.status}: ${explain(one.answer).join(" ")}`, json(JSON.parse(one.answer.sent))])
    .reverse();
  const words = "Accepting or dismissing a card posts feedback. The service keeps outcome, reason code and card, nothing about the patient. Overridden follow-up cards stay away for a while where the service keeps pseudonyms (CDS_PSEUDONYM_KEY); the demo keeps none unless told to.";
  panel("feedback", h("p", {}, words), rows.length ? table("Feedback sent", ["What", "Answer", "Message"], rows) : h("p", { class: "dim" }, "None yet."));
}
