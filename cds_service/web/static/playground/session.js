// What is chosen, and the ordering session that follows from it: orders as written, drafts accepted from cards.

import { applyActions, changed, draftOrder, referenceOf } from "./orders.js";

const USER = "Practitioner/sleep-physician";
const ENCOUNTER = "enc-1";

/** What the address keeps. */
export const chosen = { patient: "", hook: "", product: "", dose: "", planned: "", tab: "trace", left: [], failed: [], accepted: [], offer: false };
/** Orders as the situation or a card wrote them, which of them are selected, and other drafts accepted from cards. */
export const session = { written: [], selections: [], extras: [], ids: 0 };

/** Begins with the orders of a demo request; null begins without any. */
export function beginSession(request) {
  session.written = (request?.context.draftOrders?.entry ?? []).map((one) => one.resource);
  session.selections = request?.context.selections ?? session.written.map(referenceOf);
  session.extras = [];
  session.ids = 0;
}

/** The orders of the form: as written, or of the product chosen, with dose and day of the form. */
export function currentOrders(products) {
  if (!chosen.product && !session.written.length) chosen.product = products[0].id;
  const product = products.find((one) => one.id === chosen.product);
  const orders = product ? [draftOrder(product, chosen.patient)] : session.written;
  const dose = chosen.dose ? Number(chosen.dose.replace(",", ".")) : null;
  const selections = product ? orders.map(referenceOf) : session.selections;
  return { orders: orders.map((one) => changed(one, dose, chosen.planned)), selections };
}

/** The context of the hook that is chosen (CH-045 to CH-060). */
export function buildContext(products) {
  const context = { userId: USER, patientId: chosen.patient, encounterId: ENCOUNTER };
  if (chosen.hook === "patient-view") return context;
  const { orders, selections } = currentOrders(products);
  if (chosen.hook === "order-select") context.selections = selections;
  const entries = [...orders, ...session.extras].map((one) => ({
    resource: { subject: { reference: `Patient/${chosen.patient}` }, ...one },
  }));
  context.draftOrders = { resourceType: "Bundle", type: "collection", entry: entries };
  return context;
}

/** Puts the drafts of a suggestion into the session. An iron order among them becomes the order that is chosen. */
export function takeSuggestion(suggestion) {
  const freeId = () => `draft-${(session.ids += 1)}`;
  const { extras, orders } = applyActions(session.extras, suggestion.actions ?? [], freeId);
  session.extras = extras;
  if (!orders.length) return false;
  session.written = orders;
  session.selections = orders.map(referenceOf);
  return true;
}
