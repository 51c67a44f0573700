// Builds elements. Text is always set as text; nothing here reads HTML.

export function byId(id) {
  return document.getElementById(id);
}

/** h("button", {class: "x", onclick: f}, "words", child): null and false children are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

export function fill(parent, ...children) {
  parent.replaceChildren(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
}

/** Rows of cells; a cell is text or an element. The first cell of a row heads it. */
export function table(caption, heads, rows) {
  if (!rows.length) return null;
  const head = h("tr", {}, heads.map((one) => h("th", { scope: "col" }, one)));
  const body = rows.map((cells) =>
    h("tr", {}, cells.map((cell, place) => (place ? h("td", {}, cell) : h("th", { scope: "row" }, cell)))),
  );
  const made = h("table", {}, h("caption", {}, caption), h("thead", {}, head), h("tbody", {}, body));
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption }, made);
}

export function json(value) {
  return h("pre", { class: "code", tabindex: "0" }, JSON.stringify(value, null, 2));
}

/** A tablist by the ARIA pattern: arrows, Home and End move; only the chosen tab is in the tab order. */
export function wireTabs(tabs, onChoose) {
  const choose = (tab, focus) => {
    for (const one of tabs) {
      const isChosen = one === tab;
      one.setAttribute("aria-selected", String(isChosen));
      one.tabIndex = isChosen ? 0 : -1;
      byId(one.getAttribute("aria-controls")).hidden = !isChosen;
    }
    if (focus) tab.focus();
    onChoose?.(tab.id);
  };
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => choose(tab, false));
    tab.addEventListener("keydown", (event) => {
      const last = tabs.length - 1;
      const moves = { ArrowRight: (place + 1) % tabs.length, ArrowLeft: place ? place - 1 : last, Home: 0, End: last };
      const next = moves[event.key];
      if (next === undefined) return;
      event.preventDefault();
      choose(tabs[next], true);
    });
  });
  return choose;
}
