// Deep links: the fragment of the address holds the choices, never what was pasted, and never reaches the server.

const PLAIN = ["patient", "hook", "product", "dose", "planned", "tab"];
const LISTS = ["left", "failed", "accepted"];
const SAFE = /^[\w.~:-]*$/; // names, dates and numbers; anything else in an address is ignored

export function readLink() {
  const given = new URLSearchParams(location.hash.slice(1));
  const clean = (text) => (SAFE.test(text) ? text : "");
  const state = {};
  for (const name of PLAIN) if (given.has(name)) state[name] = clean(given.get(name));
  for (const name of LISTS) if (given.has(name)) state[name] = given.get(name).split(",").map(clean).filter(Boolean);
  if (given.has("offer")) state.offer = given.get("offer") === "yes";
  return state;
}

export function writeLink(state) {
  const kept = new URLSearchParams();
  for (const name of PLAIN) if (state[name]) kept.set(name, state[name]);
  for (const name of LISTS) if (state[name]?.length) kept.set(name, state[name].join(","));
  if (state.offer) kept.set("offer", "yes");
  const fragment = `#${kept.toString().replaceAll("%2C", ",").replaceAll("%7E", "~")}`;
  if (fragment !== location.hash) history.replaceState(null, "", fragment);
}
