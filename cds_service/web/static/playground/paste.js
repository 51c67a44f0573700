// A pasted request: what the service makes of it. It stays out of the address and out of any storage.

import { byId, fill, h, json, table } from "./dom.js";
import { explain, inspect } from "./client.js";
import { renderCard } from "./cards.js";
import { renderTrace } from "./trace.js";

export function buildPaste(lastRequest) {
  byId("paste-form").addEventListener("submit", (event) => {
    event.preventDefault();
    check();
  });
  byId("take-last").addEventListener("click", () => {
    const request = lastRequest();
    byId("pasted").value = request ? JSON.stringify(request, null, 2) : "";
  });
  byId("clear-paste").addEventListener("click", () => {
    byId("pasted").value = "";
    byId("paste-status").textContent = "";
    fill(byId("findings"));
  });
}

async function check() {
  const text = byId("pasted").value;
  if (!text.trim()) return say("Paste a request first.");
  say("Checking …");
  const answer = await inspect(text);
  if (!answer.ok) return say(`It could not be checked: ${explain(answer).join(" ")}`);
  say("Checked.");
  fill(byId("findings"), renderFindings(answer.body));
}

function say(words) {
  byId("paste-status").textContent = words;
  fill(byId("findings"));
}

function renderFindings(found) {
  return [
    renderVerdict(found),
    found.cards?.length ? h("div", {}, h("h3", {}, "Cards"), found.cards.map((card, place) => renderCard(card, found.details[place], null))) : null,
    table("Prefetch keys", ["Key", "State", "Resources", "Remark"], (found.keys ?? []).map(keyRow)),
    found.ignored?.length ? h("p", {}, `Not asked for, so not read: ${found.ignored.join(", ")}.`) : null,
    table("Iron orders", ["Order", "As written", "Read as", "Dose", "Planned"], (found.orders ?? []).map(orderRow)),
    table("Read from the chart", ["What", "Value", "Date", "Remark", "Resource"], (found.read ?? []).map(factRow)),
    table("Set aside", ["What", "As recorded", "Date", "Why", "Resource"], (found.setAside ?? []).map(factRow)),
    table("Could not be read", ["Resource", "Key", "Why"], (found.gaps ?? []).map((one) => [one.reference, one.key, one.why])),
    found.extension ? h("details", {}, h("summary", {}, "Decision trace"), renderTrace(found)) : null,
    h("details", {}, h("summary", {}, "All of this as JSON"), json(found)),
  ];
}

function renderVerdict(found) {
  const { verdict, schema } = found;
  const isGood = verdict.status === 200;
  const issues = [...new Set([...verdict.issues, ...(isGood ? (schema ?? []) : [])])];
  return h(
    "div",
    { class: `finding ${isGood ? "fine" : "refused"}`, id: "verdict" },
    h("p", {}, h("strong", {}, isGood ? `✓ ${verdict.title}` : `× Refused with ${verdict.status}: ${verdict.title}`)),
    found.service ? h("p", {}, `${found.hook}, answered by ${found.service}`) : null,
    issues.length ? h("ul", {}, issues.map((one) => h("li", {}, one))) : null,
  );
}

function keyRow(one) {
  const remark = one.state === "supplied" || one.state === "empty" ? one.why : [one.why, `without it: ${one.without}`].filter(Boolean).join("; ");
  const state = h("span", { class: `state ${one.state}` }, one.state);
  return [one.required ? `${one.key} (required)` : one.key, state, String(one.resources), remark];
}

function orderRow(one) {
  return [one.reference, one.name, one.product, one.dose, one.planned];
}

function factRow(one) {
  return [one.what, one.value, one.day, one.note, one.reference];
}
