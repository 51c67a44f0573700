// The ordering session: the iron order of the form, and what was accepted from cards.

const UCUM = "http://unitsofmeasure.org";
const ORDER_ID = "order-1";

/** A draft order of a product, as an EHR writes it before it is signed. */
export function draftOrder(product, patientId) {
  return {
    resourceType: "MedicationRequest",
    id: ORDER_ID,
    status: "draft",
    intent: "order",
    medicationCodeableConcept: { coding: [product.coding], text: product.name },
    subject: { reference: `Patient/${patientId}` },
    dosageInstruction: [{ route: { text: "intravenous" } }],
  };
}

/** The same order with another dose or planned day; empty leaves it as it is written. */
export function changed(order, dose, planned) {
  if (order.resourceType !== "MedicationRequest" || (!dose && !planned)) return order;
  const [first = {}, ...others] = order.dosageInstruction ?? [];
  const line = { ...first };
  if (dose) line.doseAndRate = [{ doseQuantity: { value: dose, unit: "mg", system: UCUM, code: "mg" } }];
  if (planned) line.timing = { event: [planned] };
  return { ...order, dosageInstruction: [line, ...others] };
}

export function referenceOf(resource) {
  return `${resource.resourceType}/${resource.id}`;
}

/** Ids are given by the EHR; a second acceptance of the same business identifier replaces the first. */
export function applyActions(extras, actions, freeId) {
  let kept = [...extras];
  const orders = [];
  for (const action of actions) {
    if (action.type === "delete") {
      const gone = action.resourceId ?? (action.resource ? referenceOf(action.resource) : "");
      kept = kept.filter((one) => referenceOf(one) !== gone);
      continue;
    }
    const resource = { ...action.resource, id: action.resource.id ?? freeId() };
    if (isIronOrder(resource)) orders.push(resource);
    else kept = [...kept.filter((one) => !isSame(one, resource)), resource];
  }
  return { extras: kept, orders };
}

function isIronOrder(resource) {
  return resource.resourceType === "MedicationRequest";
}

function isSame(one, other) {
  const identifier = other.identifier?.[0]?.value;
  if (identifier) return one.identifier?.[0]?.value === identifier;
  return referenceOf(one) === referenceOf(other);
}

/** One line for the basket: what, and for when. */
export function describe(resource) {
  const concept = resource.code ?? resource.medicationCodeableConcept;
  const name =
    resource.description ?? concept?.text ?? concept?.coding?.[0]?.display ?? resource.medicationReference?.reference;
  return { name: name ?? resource.resourceType, when: dateOf(resource), dose: doseOf(resource) };
}

function dateOf(resource) {
  return (
    resource.occurrenceDateTime ??
    resource.restriction?.period?.start ??
    resource.requestedPeriod?.[0]?.start ??
    resource.dosageInstruction?.[0]?.timing?.event?.[0] ??
    ""
  );
}

function doseOf(resource) {
  const quantity = resource.dosageInstruction?.[0]?.doseAndRate?.[0]?.doseQuantity;
  return quantity ? `${quantity.value} ${quantity.unit ?? ""}`.trim() : "";
}

/** `contact`, `test` or `order`: by our business identifier `<course>.<contact>[.<test>]`. */
export function kindOf(resource) {
  const parts = (resource.identifier?.[0]?.value ?? "").split(".");
  return resource.resourceType === "MedicationRequest" ? "order" : parts.length > 2 ? "test" : "contact";
}
