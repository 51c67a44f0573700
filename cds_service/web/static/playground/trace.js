// The decision trace of a reply as tables.

import { h, table } from "./dom.js";

const EXTENSION = "org.iv-iron-rls.decision-trace";
const QUIET = new Set(["not applicable", "not reached"]);

export function renderTrace(reply) {
  const trace = reply?.extension?.[EXTENSION];
  if (!trace) return h("p", {}, "This reply has no trace: there was nothing to say, or CDS_TRACE is off.");
  const known = trace.knowledge;
  return h(
    "div",
    {},
    known ? h("p", {}, `Knowledge ${known.version} of ${known.date}, hash ${known.digest.slice(0, 12)}, ${known.review}.`) : null,
    (trace.orders ?? []).map(renderOrder),
    trace.followUp ? renderFollowUp(trace.followUp) : null,
    renderKeys(trace),
  );
}

function renderKeys(trace) {
  const item = ([key, state]) => {
    const why = trace.notObtained?.[key];
    return h("li", {}, h("code", {}, key), h("span", { class: `state ${state}` }, ` ${state}`), why ? h("span", { class: "dim" }, `: ${why}`) : null);
  };
  const keys = Object.entries(trace.prefetch ?? {});
  return keys.length ? h("div", {}, h("h3", {}, "How each prefetch key was settled"), h("ul", { class: "key-states" }, keys.map(item))) : null;
}

function renderOrder(order) {
  const spoke = order.rules.filter((one) => !QUIET.has(one.outcome));
  const silent = order.rules.filter((one) => QUIET.has(one.outcome));
  const conclusion = h("strong", {}, order.conclusion);
  return h(
    "section",
    { class: "trace-order" },
    h("h3", {}, `${order.order}: `, conclusion),
    table("Rules that spoke, in order of precedence", RULE_HEADS, spoke.map(ruleRow)),
    table("Values used", ["What", "Value", "Date", "Resource"], (order.values ?? []).map(valueRow)),
    renderSetAside(order.setAside ?? []),
    renderGaps(order.gaps ?? []),
    h("details", {}, h("summary", {}, `Rules that did not apply (${silent.length})`), table("Rules that did not apply", RULE_HEADS, silent.map(ruleRow))),
  );
}

const RULE_HEADS = ["Rule", "Outcome", "Because", "Thresholds", "Sources"];

function ruleRow(rule) {
  const name = h("span", {}, h("b", {}, rule.id), h("br"), h("span", { class: "rule-title" }, rule.title));
  const values = (rule.values ?? []).map((one) => `${one.name} ${one.value}`).join(", ");
  const why = h("span", {}, rule.because, values ? h("span", { class: "dim" }, ` (${values})`) : null);
  const thresholds = (rule.thresholds ?? []).map((one) => `${one.name} ${one.value} ${one.unit}`).join("; ");
  return [name, rule.outcome, why, thresholds, sources(rule.sources ?? [])];
}

function sources(ids) {
  return h("span", {}, ids.map((id) => [h("a", { href: `knowledge#source-${id}` }, id), " "]).flat());
}

function valueRow(one) {
  return [one.name, one.value, one.date ?? "", one.reference];
}

function renderSetAside(groups) {
  const rows = groups.flatMap((group) => group.results.map((one) => [group.name, one.recorded, `it ${one.why}`, one.reference]));
  return table("Set aside", ["What", "As recorded", "Why", "Resource"], rows);
}

function renderGaps(gaps) {
  return table("Could not be read", ["Resource", "Why"], gaps.map((one) => [one.reference, one.why]));
}

function renderFollowUp(followed) {
  const { course, candidate } = followed;
  const notes = [];
  if (followed.suppressed?.length) notes.push(`Stay away after an override: ${followed.suppressed.join(", ")}.`);
  if (followed.crowdedOut?.length) notes.push(`Did not fit: ${followed.crowdedOut.join(", ")}.`);
  return h(
    "section",
    { class: "trace-order" },
    h("h3", {}, "Opened chart: ", h("strong", {}, (followed.cards ?? []).join(", ") || "nothing to say")),
    notes.map((one) => h("p", {}, one)),
    course ? renderCourse(course) : h("p", {}, "No course of intravenous iron is followed up."),
    candidate ? table("Is iron suggested unasked? (R-50d)", ["Question", "Answer"], candidateRows(candidate)) : null,
    renderGaps(followed.gaps ?? []),
  );
}

function renderCourse(course) {
  const { interpretation } = course;
  const doses = (course.doses ?? []).map((one) => `${one.mg} mg on ${one.day}`).join(", ");
  const contacts = (course.contacts ?? []).map((one) => [
    one.contact,
    one.rule,
    one.target,
    one.state,
    one.arranged ? "yes" : "no",
    one.because ?? "",
  ]);
  return h(
    "div",
    {},
    h("p", {}, `Day ${course.days ?? 0} after ${doses}; day 0 is ${course.day0}.`),
    table("Contacts", ["Contact", "Rule", "Target", "State", "Arranged", "Because"], contacts),
    interpretation ? table("What may be concluded today (R-48)", ["Question", "Answer"], interpretationRows(interpretation)) : null,
    renderCriteria(course.recurrence?.criteria ?? []),
  );
}

function renderCriteria(criteria) {
  if (!criteria.length) return null;
  return h("div", {}, h("h3", {}, "Criteria of a repeat"), h("ul", {}, criteria.map((one) => h("li", {}, one))));
}

function interpretationRows(one) {
  const values = (one.values ?? []).map((value) => `${value.name} ${value.value} (${value.reference})`).join("; ");
  return [
    ["Stage", one.stage],
    ["Response", [one.response, one.because].filter(Boolean).join(": ")],
    ["Says", (one.says ?? []).join(" ")],
    ["Values", values],
  ];
}

function candidateRows(one) {
  const rows = one.met ? [["Criteria met", `${one.met}: ${one.because}`], ["Dose drafted", `${one.doseMg} mg`]] : [["Not suggested", one.notSuggested]];
  return one.ironStudies ? [...rows, ["Iron studies", one.ironStudies]] : rows;
}
