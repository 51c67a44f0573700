// Value, unit, date and status of what lies under the pointer, or of what the arrow keys have reached.

import { at } from "./charts.js";
import { element } from "./tables.js";

const REACH = 16; // CSS pixels
const GAP = 12;

/** Everything drawn in a panel that can be asked about, as text and place. Points come before spans. */
export function marksOf(state, { panel, severity, windows }) {
  const points = panel.points.filter((one) => one.date).map((one) => pointMark(panel.id, panel.title, one, one.y ?? panel.axis.min, "y"));
  const totals = (severity?.points || []).filter((one) => one.date && one.usable).map((one) => pointMark("severity", "RLS severity", one, one.y, "severity"));
  const infusions = panel.id === "events"
    ? state.story.infusions.map((one) => ({ kind: "infusion", from: one.date, to: one.date, y: null, lines: [`IV iron: ${one.amount}`, one.label] }))
    : [];
  const bars = windows.map((one) => ({
    kind: "window", from: one.from, to: one.to, y: null, contact: one.contact,
    lines: [`${one.contact} (${one.rule}): ${one.what}`, `window ${one.from} to ${one.to}, target ${one.target}`, one.because],
  }));
  const spans = panel.showsBlackout
    ? [...state.story.blackouts, ...state.story.cautions].map((one) => ({ kind: "span", from: one.from, to: one.to, y: null, lines: [one.label, `${one.from} to ${one.to}`] }))
    : [];
  return [...points, ...totals, ...infusions, ...bars, ...spans];
}

function pointMark(kind, title, one, y, scale) {
  const reason = one.usable ? [] : [`Not interpretable: it ${one.why}`];
  const lines = [`${title} ${one.shown}`, `${one.when} \u00b7 ${one.status}`, ...reason, one.note, one.today].filter(Boolean);
  return { kind, from: one.date, to: one.date, y, scale, lines };
}

// ------------------------------------------------------------------------------------------------------------- pointer

export function watchPointer(state) {
  for (const known of state.panels) {
    const { over } = known.plot;
    const look = (event) => {
      const mark = nearest(known, event.offsetX, event.offsetY);
      if (mark) show(known, mark);
      else hide();
    };
    over.addEventListener("pointermove", look);
    over.addEventListener("pointerdown", look); // a tap
    over.addEventListener("pointerleave", hide);
  }
  addEventListener("keydown", (event) => event.key === "Escape" && hide());
}

function nearest({ plot, marks }, left, top) {
  let best = null;
  for (const mark of marks) {
    const distance = distanceTo(plot, mark, left, top);
    if (distance <= REACH && (!best || distance < best.distance)) best = { mark, distance };
  }
  return best?.mark;
}

function distanceTo(plot, mark, left, top) {
  const from = plot.valToPos(at(mark.from), "x");
  const to = plot.valToPos(at(mark.to), "x");
  const across = Math.max(from - left, left - to, 0);
  if (mark.y === null) {
    const bar = mark.kind === "window" ? plot.drawn.windows.find((one) => one.contact === mark.contact && one.from === mark.from) : null;
    const ratio = window.devicePixelRatio || 1;
    const down = bar ? Math.abs((bar.y - plot.bbox.top) / ratio - top) : 0;
    // A span is asked about only where nothing else is near.
    return mark.kind === "span" ? (across ? Infinity : REACH) : Math.hypot(across, down);
  }
  return Math.hypot(across, plot.valToPos(mark.y, mark.scale) - top);
}

// ---------------------------------------------------------------------------------------------------------------- keys

/** Left and right through everything in order of time, whatever the panel. */
export function watchKeys(state) {
  const steps = state.panels
    .flatMap((known) => known.marks.map((mark) => ({ known, mark })))
    .sort((one, other) => one.mark.from.localeCompare(other.mark.from));
  let place = -1;
  state.parent.addEventListener("keydown", (event) => {
    const moves = { ArrowRight: place + 1, ArrowDown: place + 1, ArrowLeft: place - 1, ArrowUp: place - 1, Home: 0, End: steps.length - 1 };
    if (!(event.key in moves) || !steps.length) return;
    event.preventDefault();
    place = Math.min(Math.max(moves[event.key], 0), steps.length - 1);
    const { known, mark } = steps[place];
    known.plot.over.scrollIntoView({ block: "nearest" });
    known.plot.setCursor({ left: known.plot.valToPos(at(mark.from), "x"), top: 0 });
    show(known, mark);
    document.getElementById("spoken").textContent = `${mark.lines.join(". ")}. ${place + 1} of ${steps.length}.`;
  });
  state.parent.addEventListener("blur", hide);
}

// ----------------------------------------------------------------------------------------------------------------- box

const box = () => document.getElementById("tip");

function show({ plot }, mark) {
  const tip = box();
  tip.replaceChildren(...mark.lines.map((line, place) => element(place ? "div" : "strong", {}, line)));
  tip.hidden = false;
  const left = (plot.valToPos(at(mark.from), "x") + plot.valToPos(at(mark.to), "x")) / 2;
  const top = mark.y === null ? plot.over.clientHeight / 2 : plot.valToPos(mark.y, mark.scale);
  const over = plot.over.getBoundingClientRect();
  const [x, y] = [over.left + left, over.top + top];
  const { width, height } = tip.getBoundingClientRect();
  const beside = x + GAP + width > innerWidth - 8 ? x - GAP - width : x + GAP;
  tip.style.left = `${Math.max(8, Math.min(beside, innerWidth - width - 8))}px`;
  tip.style.top = `${Math.max(8, Math.min(y - height - GAP, innerHeight - height - 8))}px`;
}

export function hide() {
  box().hidden = true;
}
