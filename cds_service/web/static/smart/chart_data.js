// Reads the chart with the token of its user, along the queries the service names; merges the pages of each answer.

const MOST_PAGES = 20;
const MOST_REFERENCES = 40;

export class Problem extends Error {}

/** JSON of this service; relative to the page, so that a path prefix of a proxy stays. */
async function ask(path, body) {
  const options = body
    ? { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }
    : {};
  const answer = await fetch(path, options).catch(() => null);
  if (!answer) throw new Problem("The service does not answer. Is the network there?");
  const said = await answer.json().catch(() => null);
  if (!answer.ok) throw new Problem(said?.issue?.[0]?.diagnostics || `The service answered ${answer.status}.`);
  return said;
}

/** One query with all its pages as one Bundle; what cannot be had is an OperationOutcome, as in a CDS Hooks prefetch. */
async function readQuery(client, query) {
  try {
    const first = await client.request(query);
    if (first?.resourceType !== "Bundle") return first;
    return await readPages(client, first);
  } catch {
    return { resourceType: "OperationOutcome", issue: [{ severity: "error", code: "processing" }] };
  }
}

async function readPages(client, first) {
  const entry = [...(first.entry || [])];
  let next = nextOf(first);
  for (let page = 1; next && page < MOST_PAGES && isOwn(client, next); page += 1) {
    const following = await client.request(next);
    entry.push(...(following.entry || []));
    next = nextOf(following);
  }
  const link = next ? [{ relation: "next", url: next }] : [];
  return { resourceType: "Bundle", type: "searchset", entry, link };
}

/** Templates are written as in CDS Hooks, not percent-encoded: that is for who sends them. */
function expand(template, patientId) {
  const [path, search = ""] = template.replaceAll("{{context.patientId}}", patientId).split("?");
  const pairs = search.split("&").filter(Boolean).map((pair) => {
    const [name, ...rest] = pair.split("=");
    return `${name}=${encodeURIComponent(rest.join("="))}`;
  });
  return [path.split("/").map(encodeURIComponent).join("/"), pairs.join("&")].filter(Boolean).join("?");
}

const nextOf = (bundle) => bundle.link?.find((one) => one.relation === "next")?.url;

/** The token goes to its own server only. */
function isOwn(client, address) {
  return new URL(address, client.state.serverUrl).origin === new URL(client.state.serverUrl).origin;
}

/** The story of the patient: fetched here, judged by the service. Returns the Patient resource beside it. */
export async function readStory(client, patientId) {
  const server = client.state.serverUrl;
  const { queries } = await ask(`queries?${new URLSearchParams({ iss: server })}`);
  const keys = Object.keys(queries);
  const answers = await Promise.all(
    keys.map((key) => readQuery(client, expand(queries[key], patientId))),
  );
  const prefetch = Object.fromEntries(keys.map((key, place) => [key, answers[place]]));
  const posted = { fhirServer: server, patientId, prefetch };
  let story = await ask("story", posted);
  if (story.wanted.length) {
    prefetch.referenced = await readReferenced(client, story.wanted);
    story = await ask("story", posted);
  }
  return { story, patient: prefetch.patient };
}

/** Drugs that are told only by reference. */
async function readReferenced(client, references) {
  const own = references.filter((one) => isOwn(client, one)).slice(0, MOST_REFERENCES);
  const found = await Promise.all(own.map((one) => readQuery(client, one)));
  return { resourceType: "Bundle", type: "collection", entry: found.map((resource) => ({ resource })) };
}
