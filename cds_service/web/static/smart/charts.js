// Panels over one time axis: infusions and reassessments, ferritin with severity, TSAT, hemoglobin. Everything that is
// said and every bound comes from the story; here is only where it goes on the page.

import { paintBack, paintFront, readColours } from "./paint.js";
import { element } from "./tables.js";
import { watchPointer, watchKeys, marksOf } from "./tips.js";

const DAY = 86400;
const LEFT = 46;
const RIGHT = 40;
const NARROW = 560;
const PRINT_WIDTH = 680;
const HEIGHTS = { events: 116, ferritin: 312, tsat: 202, hemoglobin: 202 };

export const at = (iso) => Date.parse(iso) / 1000; // a date alone is midnight UTC, whatever the zone of the browser

export function drawCharts(story) {
  const parent = document.getElementById("charts");
  const state = { story, range: story.ranges[0], colours: readColours(), panels: [], parent };
  for (const panel of [eventsPanel(story), ...story.panels]) state.panels.push(makePanel(state, panel));
  offerRanges(state);
  explainSymbols();
  watchPointer(state);
  watchKeys(state);
  watchPage(state);
  return state;
}

const eventsPanel = (story) => ({
  id: "events", title: "Infusions and reassessments", unit: "", axis: { min: 0, max: 3 }, bands: [], points: [],
  showsBlackout: false, windows: story.windows,
});

/** Heading, chart, and the bands in words. */
function makePanel(state, panel) {
  const box = element("section", { className: "panel", id: `panel-${panel.id}` });
  const heading = element("h3", {}, panel.title);
  if (panel.unit) heading.append(element("span", { className: "unit" }, ` ${panel.unit}`));
  const severity = panel.id === "ferritin" ? state.story.severity : null;
  if (panel.unit && !panel.points.length) heading.append(element("span", { className: "unit" }, "no results on record"));
  if (severity) heading.append(element("span", { className: "second" }, `${severity.title}, right axis`));
  const place = element("div", { className: "plot" });
  box.append(heading, place);
  if (panel.bands.length) box.append(listBands(panel));
  state.parent.append(box);
  const known = { panel, severity, place, windows: panel.windows || [] };
  known.plot = plot(state, known);
  known.marks = marksOf(state, known);
  box.uplot = known.plot; // to be read back: scales, and what was drawn where
  return known;
}

function listBands(panel) {
  const made = element("ul", { className: "bands" });
  made.setAttribute("aria-label", `Bands of ${panel.title}`);
  for (const band of [...panel.bands].reverse()) {
    const words = element("span", {}, `${band.label} `);
    words.append(element("span", { className: "rules" }, `(${band.rules})`));
    const line = element("li", { className: `tone-${band.tone}` });
    line.append(words);
    made.append(line);
  }
  return made;
}

// ---------------------------------------------------------------------------------------------------------- one uPlot

const dated = (points) => points.filter((one) => one.date);

/** One row a point, so that two results of one day stay two. Columns: time, usable, unusable, severity. */
function columns({ panel, severity }) {
  const rows = [
    ...dated(panel.points).map((one) => [at(one.date), one.usable ? one.y : null, one.usable ? null : one.y ?? panel.axis.min, null]),
    ...dated(severity?.points || []).map((one) => [at(one.date), null, null, one.usable ? one.y : null]),
  ].sort((one, other) => one[0] - other[0]);
  const count = severity ? 4 : 3;
  return Array.from({ length: count }, (_, column) => rows.map((row) => row[column]));
}

function plot(state, known) {
  const { panel, severity, place } = known;
  const data = columns(known);
  const none = () => null;
  const series = [
    {},
    { label: panel.title, scale: "y", spanGaps: true, points: { show: false }, width: 2, stroke: () => state.colours[panel.id] },
    { label: `${panel.title}, unusable`, scale: "y", paths: none, points: { show: false } },
  ];
  if (severity) {
    series.push({
      label: severity.title, scale: "severity", spanGaps: true, points: { show: false }, width: 2, dash: [6, 4],
      stroke: () => state.colours.severity,
    });
  }
  const options = {
    width: widthOf(state), height: HEIGHTS[panel.id], series, padding: [8, severity ? 0 : RIGHT, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false }, sync: { key: "iron-story" } },
    tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    scales: {
      x: { time: true, auto: false, range: () => [at(state.range.from), at(state.range.to)] },
      y: { auto: false, range: () => [panel.axis.min, panel.axis.max] },
      ...(severity ? { severity: { auto: false, range: () => [severity.axis.min, severity.axis.max] } } : {}),
    },
    axes: axes(state, panel, severity),
    hooks: { drawClear: [(u) => paintBack(u, state, known)], draw: [(u) => paintFront(u, state, known)] },
  };
  return new window.uPlot(options, data, place);
}

function axes(state, panel, severity) {
  const ink = () => state.colours.muted;
  const grid = { stroke: () => state.colours.grid, width: 1 };
  const ticks = { stroke: () => state.colours.grid, width: 1, size: 4 };
  const font = "12px system-ui, sans-serif";
  const time = { scale: "x", stroke: ink, grid, ticks, font, size: 46, space: 64, values: (_, splits, __, ___, step) => splits.map((one) => nameDay(one, step)) };
  const left = {
    scale: "y", stroke: ink, grid: { show: false }, ticks, font, size: LEFT, show: panel.id !== "events",
    space: 34,
  };
  const found = [time, panel.id === "events" ? { scale: "y", size: LEFT, grid: { show: false }, ticks: { show: false }, values: () => [] } : left];
  if (severity) {
    found.push({ scale: "severity", side: 1, stroke: () => state.colours.severity, grid: { show: false }, ticks, font, size: RIGHT, space: 34 });
  }
  return found;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `10 Mar`, and for steps of months `Mar` with the year below. */
function nameDay(seconds, step) {
  const day = new Date(seconds * 1000);
  const month = MONTHS[day.getUTCMonth()];
  return step >= 28 * DAY ? `${month}\n${day.getUTCFullYear()}` : `${day.getUTCDate()} ${month}\n${day.getUTCFullYear()}`;
}

// -------------------------------------------------------------------------------------------- range, size and colours

function widthOf(state) {
  if (state.isPrinting) return PRINT_WIDTH;
  return Math.max(280, Math.floor(state.parent.getBoundingClientRect().width) - 2);
}

export const isNarrow = (plotted) => plotted.width < NARROW;

function redraw(state) {
  state.colours = readColours();
  for (const { plot: drawn } of state.panels) {
    drawn.setSize({ width: widthOf(state), height: drawn.height });
    drawn.setScale("x", { min: at(state.range.from), max: at(state.range.to) });
    drawn.redraw(false, true);
  }
}

function offerRanges(state) {
  const group = document.getElementById("ranges");
  group.hidden = state.story.ranges.length < 2;
  group.replaceChildren(
    ...state.story.ranges.map((range) => {
      const button = element("button", { type: "button" }, range.label);
      button.setAttribute("aria-pressed", String(range === state.range));
      button.addEventListener("click", () => {
        state.range = range;
        for (const one of group.children) one.setAttribute("aria-pressed", String(one === button));
        redraw(state);
      });
      return button;
    }),
  );
}

function explainSymbols() {
  const words = {
    point: "result that could be interpreted",
    hollow: "result that could not, with the reason on hover",
    severity: "severity total (right axis)",
    infusion: "IV iron, with its dose",
    blackout: "ferritin and TSAT cannot be interpreted",
    caution: "read with caution",
    done: "reassessment done",
    due: "due or overdue",
    missed: "missed",
    planned: "not due yet",
    today: "today",
  };
  const legend = document.getElementById("legend");
  legend.replaceChildren(...Object.entries(words).map(([name, text]) => {
    const line = element("li", {}, text);
    const sign = element("span", { className: `sign sign-${name}` });
    sign.setAttribute("aria-hidden", "true");
    line.prepend(sign);
    return line;
  }));
}

function watchPage(state) {
  let width = widthOf(state);
  new ResizeObserver(() => {
    if (!state.isPrinting && widthOf(state) !== width) {
      width = widthOf(state);
      redraw(state);
    }
  }).observe(state.parent);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw(state));
  const print = (isPrinting) => {
    state.isPrinting = isPrinting;
    document.documentElement.toggleAttribute("data-print", isPrinting);
    redraw(state);
  };
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
}
