// Shows cards as an EHR would: conclusion first, what to check, buttons; the reasoning folded below.

import { h } from "./dom.js";

const INDICATORS = {
  info: { mark: "i", name: "Information" },
  warning: { mark: "!", name: "Warning" },
  critical: { mark: "×", name: "Critical" },
};
const FOLDED_TOPICS = new Set(["reassessment"]); // their summary and button say what the first section spells out

/** One card. `html` is the detail as the server made it safe, null when that failed. Without `acts` it is read only. */
export function renderCard(card, html, acts) {
  const known = INDICATORS[card.indicator] ?? INDICATORS.info;
  const topic = card.source?.topic;
  const title = h("h3", {}, keepDates(card.summary));
  const badge = h("span", { class: "mark", "aria-hidden": "true" }, known.mark);
  const head = h("p", { class: "verdict" }, badge, h("span", { class: "level" }, known.name), topicChip(topic));
  const article = h("article", {
    class: `card ${card.indicator}`,
    "data-topic": topic?.code ?? "",
    "data-uuid": card.uuid ?? "",
  });
  article.append(head, title, renderDetail(card, html));
  if (acts) article.append(renderActs(card, acts, article));
  article.append(renderFoot(card, html, acts?.launch));
  return article;
}

/** Words whose dates do not break at the end of a line. */
function keepDates(words) {
  return words.split(/(\d{4}-\d{2}-\d{2})/).map((part, place) => (place % 2 ? h("span", { class: "date" }, part) : part));
}

function keepDatesIn(part) {
  const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const one of texts) one.replaceWith(...keepDates(one.data));
}

function topicChip(topic) {
  return topic ? h("span", { class: "topic" }, topic.display ?? topic.code) : null;
}

function renderDetail(card, html) {
  if (html === null || html === undefined) return h("p", { class: "detail plain" }, card.detail ?? "");
  const { lead, sections } = splitDetail(html);
  const keepsFirst = !FOLDED_TOPICS.has(card.source?.topic?.code);
  const shown = h("div", { class: "detail" }, lead);
  const folded = h("div", { class: "sections" });
  sections.forEach((one, place) => {
    if (!one.title) shown.append(...one.nodes);
    else if (place === 0 && keepsFirst) shown.append(h("h4", {}, one.title), ...one.nodes);
    else folded.append(h("details", {}, h("summary", {}, one.title), h("div", {}, one.nodes)));
  });
  return h("div", {}, shown, folded.childElementCount ? folded : null);
}

/** The server's HTML by its headings, which are paragraphs of one bold text before a list. */
function splitDetail(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html; // made of a short list of elements by the server, and inert until it is shown
  keepDatesIn(holder.content);
  const lead = [];
  const sections = [];
  for (const node of [...holder.content.children]) {
    if (isHeading(node)) sections.push({ title: node.textContent, nodes: [] });
    else if (isSource(node)) continue; // in the foot
    else if (node.tagName === "P" && sections.length) sections.push({ title: "", nodes: [node] });
    else (sections.at(-1)?.nodes ?? lead).push(node);
  }
  return { lead, sections };
}

function isHeading(node) {
  const only = node.childNodes.length === 1 ? node.firstElementChild : null;
  return node.tagName === "P" && only?.tagName === "STRONG" && node.nextElementSibling?.tagName === "UL";
}

function isSource(node) {
  return node.tagName === "P" && !node.nextElementSibling && node.textContent.startsWith("Source:");
}

function renderFoot(card, html, launch) {
  const holder = document.createElement("template");
  holder.innerHTML = html ?? "";
  const last = holder.content.lastElementChild;
  const source = last && isSource(last) ? last : h("p", {}, "Source: ", sourceLink(card.source));
  return h("footer", {}, source, renderLinks(card.links ?? [], launch));
}

function sourceLink(source) {
  return source?.url ? outward(source.url, source.label) : (source?.label ?? "");
}

/** A link to a SMART app is launched as an EHR does; where nobody can launch it, it is only named. */
function renderLinks(links, launch) {
  if (!links.length) return null;
  const shown = links.map((one) => {
    if (one.type !== "smart") return outward(one.url, one.label);
    return launch ? outward(launch(one.url), `${one.label} (SMART app)`) : h("span", {}, `${one.label} (SMART app)`);
  });
  return h("p", { class: "links" }, shown.flatMap((one) => [one, " "]));
}

/** Only web addresses become links; a card could carry any text. */
function outward(url, label) {
  if (!/^https?:\/\//i.test(url)) return h("span", {}, label);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label);
}

// ------------------------------------------------------------------------------------------------ accept and dismiss

function renderActs(card, acts, article) {
  const outcome = h("p", { class: "outcome", role: "status" });
  const box = h("div", { class: "acts" });
  const close = (words) => {
    outcome.textContent = words;
    article.classList.add("done");
    box.replaceChildren(outcome);
  };
  for (const suggestion of card.suggestions ?? []) {
    box.append(renderSuggestion(suggestion, async () => close(await acts.accept(card, suggestion))));
  }
  box.append(renderDismissal(card, async (reason, comment) => close(await acts.dismiss(card, reason, comment))));
  return box;
}

function renderSuggestion(suggestion, accept) {
  const actions = suggestion.actions ?? [];
  const button = h("button", { type: "button", class: suggestion.isRecommended ? "primary accept" : "accept" }, suggestion.label);
  button.addEventListener("click", () => {
    button.disabled = true;
    accept();
  });
  const lines = actions.map((one) => h("li", {}, one.description));
  const adds = actions.length ? h("details", {}, h("summary", {}, `What it does (${actions.length})`), h("ul", {}, lines)) : null;
  return h("div", { class: "suggestion" }, button, adds);
}

function renderDismissal(card, dismiss) {
  const name = `why-${card.uuid}`;
  const choices = (card.overrideReasons ?? []).map((reason, place) =>
    h("label", { class: "check" }, h("input", { type: "radio", name, value: String(place) }), ` ${reason.display ?? reason.code}`),
  );
  const comment = h("input", { type: "text", "aria-label": "Comment", placeholder: "Comment (optional)", autocomplete: "off", maxlength: "200" });
  const form = h(
    "form",
    { class: "dismissal" },
    h("fieldset", {}, h("legend", {}, "Why is this card not followed?"), choices, comment),
    h("button", { class: "confirm" }, "Dismiss the card"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = form.querySelector("input:checked");
    dismiss(chosen ? card.overrideReasons[Number(chosen.value)] : null, comment.value.trim());
  });
  return h("details", { class: "dismiss" }, h("summary", {}, "Dismiss …"), form);
}
