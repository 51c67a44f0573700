// Calls as the public CDS Hooks Sandbox sends them, from another origin: the order of requests, their headers and shapes.
// Written anew for these tests after reading how it works (cds-hooks/sandbox: service exchange, medication reducer, Rx view).

const state = { medication: null, services: {}, exchanges: [] };
let site;

/** `given`: service, fhir, patient, user, now (seconds), and a private JWK with its kid. */
export async function open(given) {
  site = given;
  site.key = await crypto.subtle.importKey("jwk", given.jwk, { name: "ECDSA", namedCurve: "P-384" }, false, ["sign"]);
  const address = `${site.service}/cds-services`;
  const found = await (await fetch(address, { headers: { Authorization: `Bearer ${await token(address)}` } })).json();
  for (const one of found.services) state.services[one.hook] = { ...one, url: `${address}/${one.id}` };
}

/** The chart is opened. */
export function openChart() {
  return callService("patient-view", {});
}

/** What the Rx view sends once a drug stands: a Bundle without type, `category` as an object, one pill daily. */
export function prescribe() {
  const resource = {
    resourceType: "MedicationRequest",
    id: "request-123",
    status: "draft",
    intent: "order",
    subject: { reference: `Patient/${site.patient}` },
    authoredOn: new Date(site.now * 1000).toISOString().slice(0, 10),
    dosageInstruction: [
      {
        timing: { repeat: { frequency: 1, period: 1, periodUnit: "d" } },
        doseAndRate: [{ doseQuantity: { value: 1, system: "http://unitsofmeasure.org", code: "{pill}" } }],
      },
    ],
    dispenseRequest: {
      expectedSupplyDuration: { value: 1, unit: "days", system: "http://unitsofmeasure.org", code: "d" },
    },
    category: {
      coding: [{ system: "http://terminology.hl7.org/CodeSystem/medicationrequest-category", code: "community" }],
    },
    medicationCodeableConcept: {
      text: state.medication.name,
      coding: [
        {
          display: state.medication.name,
          system: "http://www.nlm.nih.gov/research/umls/rxnorm",
          code: state.medication.id,
        },
      ],
    },
  };
  const draftOrders = { resourceType: "Bundle", entry: [{ resource }] };
  return callService("order-select", { selections: [`${resource.resourceType}/${resource.id}`], draftOrders });
}

async function callService(hook, more) {
  const service = state.services[hook];
  const context = { patientId: site.patient, userId: site.user, ...more };
  const request = { hookInstance: crypto.randomUUID(), hook, fhirServer: site.fhir, context };
  const prefetch = await fetchAll(service.prefetch);
  if (Object.keys(prefetch).length) request.prefetch = prefetch;
  const answer = await fetch(service.url, {
    method: "POST",
    headers: {
      Accept: "application/json",
      "Content-Type": "application/json",
      Authorization: `Bearer ${await token(service.url)}`,
    },
    body: JSON.stringify(request),
  });
  const body = await answer.json();
  state.exchanges.push({ hook, status: answer.status, body });
  showCards(service, body.cards ?? []);
  return { status: answer.status, body };
}

/** Best effort: a query that fails leaves its key out. */
async function fetchAll(templates) {
  const found = {};
  const queries = Object.entries(templates).map(async ([key, template]) => {
    const filled = template
      .replace(/{{\s*context\.patientId\s*}}/g, site.patient)
      .replace(/{{\s*context\.userId\s*}}/g, site.user);
    try {
      const answer = await fetch(`${site.fhir}/${encode(filled)}`, { headers: { Accept: "application/json+fhir" } });
      if (answer.ok) found[key] = await answer.json();
    } catch (failure) {
      console.log("Unable to prefetch", key, failure);
    }
  });
  await Promise.all(queries);
  return found;
}

function encode(query) {
  const [path, parameters] = query.split("?");
  if (!parameters) return query;
  const pairs = [...new URLSearchParams(parameters)].sort(([one], [other]) => (one < other ? -1 : 1));
  return `${path}?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&")}`;
}

function showCards(service, cards) {
  const holder = document.getElementById("cards");
  holder.replaceChildren();
  for (const card of cards) {
    const box = document.createElement("article");
    box.dataset.topic = card.source.topic.code;
    box.append(Object.assign(document.createElement("h2"), { textContent: card.summary }));
    for (const suggestion of card.suggestions ?? []) {
      const button = Object.assign(document.createElement("button"), { textContent: suggestion.label });
      button.addEventListener("click", () => take(service, card, suggestion));
      box.append(button);
    }
    holder.append(box);
  }
}

/** Feedback goes out, then the drug of the suggestion becomes the drug of the Rx view, by its text and first code. */
async function take(service, card, suggestion) {
  await sendFeedback(service, { card: card.uuid, outcome: "accepted", acceptedSuggestions: [{ id: suggestion.uuid }] });
  for (const action of suggestion.actions) {
    const concept = action.resource?.medicationCodeableConcept;
    if (["create", "update"].includes(action.type) && concept?.text && concept.coding?.[0]?.code) {
      state.medication = { name: concept.text, id: concept.coding[0].code };
      return prescribe();
    }
  }
}

/** As it is sent when a card is overridden: the reason is a code without system. */
export function override(hook, card) {
  const reason = { code: card.overrideReasons[0].code, display: card.overrideReasons[0].display };
  const overrideReason = { reason, userComment: "" };
  return sendFeedback(state.services[hook], { card: card.uuid, outcome: "overridden", overrideReason });
}

async function sendFeedback(service, item) {
  const url = `${service.url}/feedback`;
  const feedback = [{ ...item, outcomeTimestamp: new Date(site.now * 1000).toISOString() }];
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${await token(url)}` },
    body: JSON.stringify({ feedback }),
  });
  state.exchanges.push({ hook: "feedback", status: answer.status, body: await answer.json() });
  return state.exchanges.at(-1);
}

async function token(audience) {
  const head = { alg: "ES384", typ: "JWT", kid: site.jwk.kid, jku: `${location.origin}/.well-known/jwks.json` };
  const claims = { iss: location.origin, aud: audience, iat: site.now, exp: site.now + 300, jti: crypto.randomUUID() };
  const signed = `${encodeJson(head)}.${encodeJson({ ...claims, sub: "sandbox" })}`;
  const bytes = new TextEncoder().encode(signed);
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-384" }, site.key, bytes);
  return `${signed}.${base64url(new Uint8Array(signature))}`;
}

function encodeJson(value) {
  return base64url(new TextEncoder().encode(JSON.stringify(value)));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

globalThis.sandbox = { open, openChart, prescribe, override, exchanges: state.exchanges };
