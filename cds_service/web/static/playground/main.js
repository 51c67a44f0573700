// Wires the page: what was chosen becomes a call, the reply becomes cards, acceptance becomes a basket.

import { byId, fill, h, wireTabs } from "./dom.js";
import * as cds from "./client.js";
import { renderCard } from "./cards.js";
import { buildHood, noteFeedback, openTab, showCall } from "./hood.js";
import { showBasket, showPerson } from "./basket.js";
import { describe } from "./orders.js";
import { buildPaste } from "./paste.js";
import { beginSession, buildContext, chosen, currentOrders, session, takeSuggestion } from "./session.js";
import { readLink, writeLink } from "./state.js";

const HOOKS = {
  "patient-view": "Chart opened (patient-view)",
  "order-select": "Order chosen (order-select)",
  "order-sign": "Orders signed (order-sign)",
};
const page = { discovery: null, choices: null, lastRequest: null, run: 0, seat: 0 };

start().catch((failure) => say(`The playground could not start: ${failure.message}`));

async function start() {
  buildHood((tab) => remember({ tab }));
  wireTabs([byId("mode-chart"), byId("mode-paste")]);
  buildPaste(() => page.lastRequest);
  [page.discovery, page.choices] = await Promise.all([cds.discover(), cds.loadChoices()]);
  fillForm();
  wireForm();
  await follow(readLink());
  globalThis.addEventListener("hashchange", () => {
    if (location.hash.includes("=")) follow(readLink()); // not for a jump within the page
  });
}

// ------------------------------------------------------------------------------------------------------------- form

function fillForm() {
  const { groups, tour, products } = page.choices;
  const option = (value, words) => h("option", { value }, words);
  fill(byId("patient"), groups.map((group) => h("optgroup", { label: group.title }, group.patients.map((one) => option(one.name, one.about)))));
  fill(byId("tour"), tour.map((one) => h("button", { type: "button", "data-patient": one.name, onclick: () => pick(one.name) }, one.label)));
  const offered = new Set(page.discovery.body.services.map((one) => one.hook));
  fill(byId("hook"), Object.entries(HOOKS).filter(([hook]) => offered.has(hook)).map(([hook, words]) => option(hook, words)));
  fill(byId("product"), option("", ""), products.map((one) => option(one.id, one.name)));
}

function wireForm() {
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  byId("patient").addEventListener("change", (event) => pick(event.target.value));
  for (const name of ["hook", "product", "dose", "planned"]) {
    byId(name).addEventListener("change", (event) => {
      if (name === "dose" && !readDose(event.target)) return;
      remember({ [name]: event.target.value.trim() });
      send();
    });
  }
  byId("offer").addEventListener("change", (event) => {
    remember({ offer: event.target.checked });
    send();
  });
}

function readDose(field) {
  const isGood = /^(\d+([.,]\d+)?)?$/.test(field.value.trim());
  field.setAttribute("aria-invalid", String(!isGood));
  if (!isGood) say("The dose is a number of milligrams, or empty for the dose as it is written.");
  return isGood;
}

function remember(changes) {
  Object.assign(chosen, changes);
  if (chosen.patient) writeLink(chosen);
}

/** The form shows what is chosen. */
function showForm() {
  byId("patient").value = chosen.patient;
  byId("hook").value = chosen.hook;
  showWritten();
  byId("product").value = chosen.product;
  byId("dose").value = chosen.dose;
  byId("planned").value = chosen.planned;
  byId("offer").checked = chosen.offer;
  byId("order-fields").hidden = chosen.hook === "patient-view";
  for (const button of byId("tour").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.patient === chosen.patient));
  }
  showKeys();
}

function showWritten() {
  const first = byId("product").options[0];
  const names = session.written.map((one) => [describe(one).name, describe(one).dose].filter(Boolean).join(", "));
  first.textContent = names.length ? `As written: ${names.join(" + ")}` : "As written: nothing yet";
  first.disabled = !names.length;
}

function showKeys() {
  const service = serviceOf(chosen.hook);
  const row = (key) => {
    const state = chosen.failed.includes(key) ? "failed" : chosen.left.includes(key) ? "left" : "sent";
    const choice = (value, words) => h("option", { value, selected: value === state }, words);
    const select = h("select", { id: `key-${key}` }, choice("sent", "sent"), choice("left", "left out"), choice("failed", "fails"));
    select.addEventListener("change", () => {
      const without = (list) => list.filter((one) => one !== key);
      const left = without(chosen.left);
      const failed = without(chosen.failed);
      if (select.value === "left") left.push(key);
      if (select.value === "failed") failed.push(key);
      remember({ left, failed });
      send();
    });
    return h("div", { class: "key" }, h("label", { for: `key-${key}` }, h("code", {}, key)), select);
  };
  fill(byId("keys"), Object.keys(service?.prefetch ?? {}).map(row));
}

function serviceOf(hook) {
  return page.discovery.body.services.find((one) => one.hook === hook);
}

// --------------------------------------------------------------------------------------------------- patient and link

function listed(name) {
  return page.choices.groups.flatMap((group) => group.patients).find((one) => one.name === name);
}

/** A patient of the list as the situation has it. */
async function pick(name) {
  if (await seat(name, {})) await send();
}

async function seat(name, link) {
  const patient = listed(name);
  if (!patient) {
    say("There is no such patient in the demo.");
    return false;
  }
  page.seat += 1;
  const { seat: mine } = page;
  const situation = await cds.loadSituation(name);
  if (mine !== page.seat) return false; // another patient was picked meanwhile
  beginSession(situation);
  const keys = Object.keys(serviceOf(patient.hook).prefetch);
  const sent = situation?.prefetch ?? {};
  const defaults = {
    hook: patient.hook,
    product: "",
    dose: "",
    planned: "",
    left: keys.filter((key) => !(key in sent)),
    failed: keys.filter((key) => sent[key]?.resourceType === "OperationOutcome"),
    accepted: [],
    offer: false,
  };
  remember({ ...defaults, ...withoutUnknown(link), patient: name });
  return true;
}

function withoutUnknown(link) {
  const known = { ...link };
  if (known.hook && !serviceOf(known.hook)) delete known.hook;
  if (known.product && !page.choices.products.some((one) => one.id === known.product)) delete known.product;
  return known;
}

/** A deep link: seats the patient, repeats what was accepted, sends the call. Nothing is posted as feedback anew. */
async function follow(link) {
  const { accepted = [], ...rest } = link;
  const name = rest.patient && listed(rest.patient) ? rest.patient : page.choices.tour[0].name;
  await seat(name, rest);
  const { hook } = chosen;
  for (const step of accepted) {
    const [at, topic] = step.split("~");
    if (!serviceOf(at)) continue;
    remember({ hook: at });
    const cards = await send();
    const card = cards.find((one) => one.source?.topic?.code === topic && one.suggestions?.length);
    if (card) take(card, card.suggestions[0]);
  }
  remember({ hook });
  openTab(chosen.tab);
  await send();
}

// --------------------------------------------------------------------------------------------------------- the call

async function send() {
  page.run += 1;
  const { run } = page;
  const context = buildContext(page.choices.products);
  showForm();
  refreshBasket();
  const service = serviceOf(chosen.hook);
  say("Asking …");
  byId("cards").setAttribute("aria-busy", "true");
  const prefetch = await cds.prefetch(service.prefetch, context, new Set(chosen.left), new Set(chosen.failed));
  const request = { hook: chosen.hook, hookInstance: cds.newInstance(), ...access(), context, prefetch: prefetch.data };
  const answer = await cds.call(service.id, request);
  const cards = answer.body?.cards ?? [];
  const began = performance.now();
  const details = await cds.renderMarkdown(cards.map((one) => one.detail ?? ""));
  if (run !== page.run) return cards; // something else was chosen meanwhile
  page.lastRequest = request;
  showPerson(prefetch.data.patient, listed(chosen.patient), page.choices.today);
  showCards(service.id, answer, cards, details);
  await showCall({ request, answer, prefetch, markdownTook: performance.now() - began, discovery: page.discovery });
  if (run === page.run) byId("cards").setAttribute("aria-busy", "false");
  return cards;
}

/** The launch of the open demo server is the patient's id; others make one for each launch. */
function launchOf(url) {
  const address = new URL(url);
  address.searchParams.set("iss", page.choices.fhirServer);
  address.searchParams.set("launch", chosen.patient);
  return address.href;
}

/** What a client grants that lets the service read its FHIR server; the demo server asks for no token. */
function access() {
  if (!chosen.offer) return {};
  const grant = { access_token: "demo", token_type: "Bearer", expires_in: 300, scope: "user/*.read", subject: "playground" };
  return { fhirServer: page.choices.fhirServer, fhirAuthorization: grant };
}

function showCards(serviceId, answer, cards, details) {
  if (!answer.ok) {
    say(`Refused with status ${answer.status}: this is no all-clear.`);
    const lines = cds.explain(answer).map((one) => h("li", {}, one));
    fill(byId("cards"), h("div", { class: "finding refused" }, h("p", {}, h("strong", {}, "No answer")), h("ul", {}, lines)));
    return;
  }
  const number = cards.length === 1 ? "1 card" : `${cards.length} cards`;
  say(cards.length ? `${number} in ${answer.took.toFixed(0)} ms` : `Nothing to say, in ${answer.took.toFixed(0)} ms`);
  const acts = {
    accept: (card, suggestion) => accept(serviceId, card, suggestion),
    dismiss: (card, reason, comment) => dismiss(serviceId, card, reason, comment),
    launch: (url) => launchOf(url),
  };
  const shown = cards.map((card, place) => renderCard(card, details[place], acts));
  fill(byId("cards"), shown.length ? shown : h("p", { class: "no-card" }, "No card. The service has nothing to say about this patient at this moment."));
}

function say(words) {
  byId("status").textContent = words;
}

// --------------------------------------------------------------------------------------------------- accept, dismiss

/** Whether an iron order was among the drafts: then choosing it is the next moment. */
function take(card, suggestion) {
  const isOrder = takeSuggestion(suggestion);
  remember({ accepted: [...chosen.accepted, `${chosen.hook}~${card.source?.topic?.code ?? ""}`] });
  if (isOrder) remember({ product: "", dose: "", planned: "", hook: "order-select" });
  return isOrder;
}

async function accept(serviceId, card, suggestion) {
  const isOrder = take(card, suggestion);
  refreshBasket();
  const answer = await cds.sendFeedback(serviceId, { card: card.uuid, outcome: "accepted", acceptedSuggestions: [{ id: suggestion.uuid }] });
  noteFeedback(`Accepted: ${suggestion.label}`, answer);
  if (isOrder) {
    await send(); // choosing an order fires order-select
    return "Accepted.";
  }
  const number = suggestion.actions?.length ?? 0;
  return `Accepted: ${number} drafts in the basket, ${toldOf(answer)}. The next call carries them.`;
}

async function dismiss(serviceId, card, reason, comment) {
  const overrideReason = { ...(reason ? { reason } : {}), ...(comment ? { userComment: comment } : {}) };
  const item = { card: card.uuid, outcome: "overridden", ...(reason || comment ? { overrideReason } : {}) };
  const answer = await cds.sendFeedback(serviceId, item);
  noteFeedback(`Dismissed: ${reason?.display ?? "no reason given"}`, answer);
  return `Dismissed: ${reason?.display ?? "no reason given"}; ${toldOf(answer)}.`;
}

function toldOf(answer) {
  return answer.ok ? "feedback kept" : `feedback not kept (${cds.explain(answer).join(" ")})`;
}

function refreshBasket() {
  const isView = chosen.hook === "patient-view";
  const orders = isView ? [] : currentOrders(page.choices.products).orders;
  showBasket(orders, session.extras, isView, (place) => {
    session.extras.splice(place, 1);
    refreshBasket();
  });
}
