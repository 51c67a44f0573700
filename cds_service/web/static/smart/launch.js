// EHR launch: asks the authorisation server of the (listed) FHIR server for access, with PKCE S256, as a public client.

const page = document.body.dataset;

function say(words) {
  document.getElementById("status").hidden = true;
  const problem = document.getElementById("problem");
  problem.textContent = words;
  problem.hidden = false;
}

/** What the EHR announces about SMART; an error names what is missing. */
async function readConfiguration(iss) {
  const address = `${iss.replace(/\/+$/, "")}/.well-known/smart-configuration`;
  const answer = await fetch(address, { headers: { accept: "application/json" } }).catch(() => null);
  if (!answer?.ok) {
    throw new Error("The EHR does not say how to sign in: its SMART configuration could not be read.");
  }
  return answer.json();
}

async function launch() {
  if (!window.isSecureContext) {
    throw new Error("Signing in needs an encrypted connection: open the app by https.");
  }
  const iss = page.iss;
  const launched = new URLSearchParams(location.search).get("launch");
  // fhirclient.js lets parameters of the address win over ours, the client id among them: only these two may be there.
  const clean = new URLSearchParams({ iss, ...(launched ? { launch: launched } : {}) });
  history.replaceState(null, "", `${location.pathname}?${clean}`);
  const announced = await readConfiguration(iss);
  if (!announced.code_challenge_methods_supported?.includes("S256")) {
    throw new Error("The EHR's authorisation server does not offer PKCE with S256, which this app insists on.");
  }
  const token = new URL(announced.token_endpoint, iss).origin;
  if (!page.origins.split(" ").includes(token)) {
    throw new Error(`The EHR gives tokens at ${token}, which this service does not list (token_origins of its registry).`);
  }
  const isVersion2 = announced.capabilities?.includes("permission-v2");
  await window.FHIR.oauth2.authorize({
    iss,
    clientId: page.clientId,
    scope: isVersion2 ? page.scopesV2 : page.scopesV1,
    redirectUri: new URL("app", location.href).href,
    pkceMode: "required",
    completeInTarget: true,
    stateKey: crypto.randomUUID(),
  });
}

launch().catch((wrong) => say(wrong.message));
