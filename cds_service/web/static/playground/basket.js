// The patient's banner and the order basket.

import { byId, fill, h } from "./dom.js";
import { describe, kindOf } from "./orders.js";

/** `patient` is the FHIR resource, or null; `listed` what the list of patients says. */
export function showPerson(patient, listed, today) {
  const name = patient?.name?.[0];
  const words = name ? `${name.given?.join(" ") ?? ""} ${name.family ?? ""}`.trim() : listed.name;
  const age = patient?.birthDate ? `${ageOn(patient.birthDate, today)} years` : "birth date unknown";
  const facts = [patient?.gender, age].filter(Boolean).join(", ");
  const story = `smart/app?patient=${encodeURIComponent(listed.name)}`;
  const link = h("a", { href: story, target: "_blank", rel: "noopener" }, "Iron story as a chart");
  fill(byId("banner"), h("strong", {}, words), h("span", {}, facts), h("p", {}, listed.about), link);
}

function ageOn(birth, today) {
  const years = Number(today.slice(0, 4)) - Number(birth.slice(0, 4));
  return today.slice(5) < birth.slice(5) ? years - 1 : years;
}

/** `orders` of the form, and `extras` accepted from cards, which `drop(place)` removes. */
export function showBasket(orders, extras, isView, drop) {
  byId("basket-count").textContent = String(orders.length + extras.length);
  byId("basket-hint").textContent = isView
    ? "An opened chart sends no orders; drafts that are accepted wait here."
    : "Drafts of this ordering session. They go with the next call.";
  fill(byId("basket"), orders.map((one) => item(one)), extras.map((one, place) => item(one, () => drop(place))));
}

function item(resource, drop) {
  const { name, when, dose } = describe(resource);
  const amount = name.includes(dose) ? "" : dose;
  const words = [h("span", { class: "name" }, name), h("span", { class: "when" }, [amount, when].filter(Boolean).join(", "))];
  const label = `Remove ${name} ${when}`.trim();
  const remove = drop ? h("button", { type: "button", class: "remove", "aria-label": label, onclick: drop }, "×") : null;
  const kind = kindOf(resource);
  return h("li", { class: kind, "data-kind": kind, "data-when": when, "data-identifier": resource.identifier?.[0]?.value ?? "" }, words, remove);
}
