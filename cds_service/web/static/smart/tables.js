// The same data as tables, for screen readers, for print, and for who would rather read.

const HEADS = {
  values: ["Date", "Test", "Value", "Report", "Can it be interpreted?", "Remarks"],
  infusions: ["Date", "Product", "Dose", "Taken from"],
  windows: ["Reassessment", "Target", "Window", "What happened", "Why"],
};

export function fillTables(parent, story) {
  const values = [
    ...story.panels.flatMap((panel) => panel.points.map((point) => [panel.title, point])),
    ...story.severity.points.map((point) => ["RLS severity", point]),
  ].sort(([, one], [, other]) => (other.date || "").localeCompare(one.date || ""));
  parent.replaceChildren(
    table("values", "Results, newest first", values.map(([title, point]) => valueRow(title, point)), "No results on record."),
    table("infusions", "IV iron given", story.infusions.map(infusionRow).reverse(), "No IV iron on record."),
    table("windows", "Reassessments", story.windows.map(windowRow).reverse(), "No reassessment to show."),
  );
}

const valueRow = (title, one) => [
  one.when, title, one.shown, one.status,
  one.usable ? "yes" : `no: it ${one.why}`,
  [one.note, one.today].filter(Boolean).join("; "),
];
const infusionRow = (one) => [one.when, one.product, one.amount, one.fromOrder ? "the order" : "the record of giving it"];
const windowRow = (one) => [`${one.contact} (${one.rule})`, one.target, `${one.from} to ${one.to}`, one.what, one.because];

function table(name, title, rows, none) {
  const made = element("table", { id: `table-${name}` });
  made.append(element("caption", {}, title), head(HEADS[name]));
  const body = element("tbody");
  body.append(...rows.map(row));
  made.append(body);
  const box = element("div", { className: "wide", tabIndex: 0 });
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", title);
  box.append(rows.length ? made : element("p", { className: "none" }, `${title}: ${none}`));
  return box;
}

function head(words) {
  const line = element("tr");
  line.append(...words.map((word) => element("th", { scope: "col" }, word)));
  const made = element("thead");
  made.append(line);
  return made;
}

function row(cells) {
  const line = element("tr");
  line.append(element("th", { scope: "row" }, cells[0]), ...cells.slice(1).map((cell) => element("td", {}, cell)));
  return line;
}

export function element(name, members = {}, text = "") {
  const made = Object.assign(document.createElement(name), members);
  if (text) made.textContent = text;
  return made;
}
