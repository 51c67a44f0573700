// What lies behind and before the curves. Each shape is also noted in `uplot.drawn`, in canvas pixels.

import { at, isNarrow } from "./charts.js";

const NAMES = [
  "ink", "muted", "paper", "grid", "ferritin", "tsat", "hemoglobin", "severity", "infusion", "today", "blackout", "caution",
  "band-support", "band-consensus", "band-neutral", "band-caution", "band-stop", "limit", "done", "due", "missed", "planned",
];
const RADIUS = 4.5;
const LANES = { infusions: 2.45, windows: [1.5, 0.5] };
const BAR = 15;
const DIAMOND = 6;
const SIGNS = { done: "\u2713", due: "\u2022", overdue: "!", missed: "\u00d7", planned: "" };
const TONES = { overdue: "due" };

export function readColours() {
  const styles = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, styles.getPropertyValue(`--${name}`).trim()]));
}

const ratio = () => window.devicePixelRatio || 1;
const xOf = (u, iso) => u.valToPos(at(iso), "x", true);
const yOf = (u, value, scale = "y") => u.valToPos(value, scale, true);

function clipped(u, paint) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  paint(ctx, bbox);
  ctx.restore();
}

export function paintBack(u, state, known) {
  const { panel } = known;
  const { story, colours } = state;
  u.drawn = { bands: [], limits: [], blackouts: [], cautions: [], infusions: [], windows: [], points: [], today: null };
  clipped(u, (ctx, bbox) => {
    for (const band of panel.bands) paintBand(u, ctx, bbox, band, colours);
    if (panel.showsBlackout) {
      for (const span of story.cautions) paintSpan(u, ctx, bbox, span, colours.caution, "cautions", 14);
      for (const span of story.blackouts) paintSpan(u, ctx, bbox, span, colours.blackout, "blackouts", 7);
    }
  });
}

function paintBand(u, ctx, bbox, band, colours) {
  const top = yOf(u, band.to);
  const bottom = yOf(u, band.from);
  ctx.fillStyle = colours[`band-${band.tone}`];
  ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
  u.drawn.bands.push({ tone: band.tone, from: band.from, to: band.to, top, bottom });
  if (band.limit === null) return;
  ctx.strokeStyle = colours.limit;
  ctx.lineWidth = ratio();
  ctx.setLineDash([]);
  line(ctx, bbox.left, bottom, bbox.left + bbox.width, bottom);
  const below = u.drawn.limits.at(-1);
  if (!below || below.y - bottom > 12 * ratio()) write(ctx, band.limit, bbox.left + bbox.width - 4 * ratio(), bottom - 3 * ratio(), colours.muted, { align: "right" });
  u.drawn.limits.push({ value: band.from, y: bottom });
}

/** Hatched from the first day to the last; points of a day lie at its start. */
function paintSpan(u, ctx, bbox, span, colour, name, gap) {
  const left = xOf(u, span.from);
  const right = xOf(u, span.to);
  u.drawn[name].push({ from: span.from, to: span.to, left, right });
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, Math.max(right - left, ratio()), bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = ratio();
  for (let x = left - bbox.height; x < right; x += gap * ratio()) line(ctx, x, bbox.top + bbox.height, x + bbox.height, bbox.top);
  ctx.restore();
}

export function paintFront(u, state, known) {
  const { panel, severity } = known;
  const { story, colours } = state;
  clipped(u, (ctx, bbox) => {
    paintToday(u, ctx, bbox, story, colours);
    for (const one of story.infusions) paintInfusion(u, ctx, bbox, one, colours, known);
    known.windows.forEach((one, place) => paintWindow(u, ctx, one, place, colours));
    if (panel.id === "events") nameEvents(u, ctx, colours);
  });
  for (const one of severity?.points || []) if (one.date && one.usable) paintPoint(u, one, "severity", colours, severity);
  for (const one of panel.points) if (one.date) paintPoint(u, one, panel.id, colours, panel);
}

function paintToday(u, ctx, bbox, story, colours) {
  const x = xOf(u, story.today);
  ctx.strokeStyle = colours.today;
  ctx.lineWidth = 1.5 * ratio();
  ctx.setLineDash([2 * ratio(), 3 * ratio()]);
  line(ctx, x, bbox.top, x, bbox.top + bbox.height);
  ctx.setLineDash([]);
  u.drawn.today = x;
}

function paintInfusion(u, ctx, bbox, one, colours, { panel }) {
  const x = xOf(u, one.date);
  ctx.strokeStyle = colours.infusion;
  ctx.lineWidth = 1.5 * ratio();
  line(ctx, x, bbox.top, x, bbox.top + bbox.height);
  if (panel.id === "events") {
    const y = yOf(u, LANES.infusions);
    diamond(ctx, x, y, DIAMOND * ratio(), colours.infusion);
  }
  u.drawn.infusions.push({ date: one.date, amount: one.amount, x });
}

/** A bar over the window; its sign and words say what happened, its form too: not by colour alone. */
function paintWindow(u, ctx, one, place, colours) {
  const left = xOf(u, one.from);
  const right = Math.max(xOf(u, one.to), left + 6 * ratio());
  const y = yOf(u, LANES.windows[place % LANES.windows.length]);
  const height = BAR * ratio();
  const colour = colours[TONES[one.state] || one.state];
  ctx.lineWidth = 1.5 * ratio();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.setLineDash(one.state === "missed" ? [3 * ratio(), 3 * ratio()] : []);
  ctx.beginPath();
  ctx.roundRect(left, y - height / 2, right - left, height, 3 * ratio());
  if (one.state === "done" || one.state === "due") ctx.fill();
  ctx.stroke();
  ctx.setLineDash([]);
  const isFilled = one.state === "done" || one.state === "due";
  write(ctx, SIGNS[one.state], (left + right) / 2, y + 4 * ratio(), isFilled ? colours.paper : colour, { align: "center", size: 12, bold: true });
  u.drawn.windows.push({ contact: one.contact, state: one.state, from: one.from, to: one.to, left, right, y, height });
}

/** Words beside the shapes of each lane, to the right or else to the left; where neither is free, the box on hover says it. */
function nameEvents(u, ctx, colours) {
  const size = DIAMOND * ratio();
  const infusions = u.drawn.infusions.map((one) => ({ words: one.amount, left: one.x - size, right: one.x + size, y: yOf(u, LANES.infusions) }));
  const today = { words: "today", left: u.drawn.today, right: u.drawn.today, y: yOf(u, LANES.infusions) };
  const taken = nameLane(u, ctx, infusions, colours.ink, true);
  nameLane(u, ctx, [today], colours.muted, false, taken);
  for (const lane of LANES.windows) {
    const y = yOf(u, lane);
    const shapes = u.drawn.windows.filter((one) => one.y === y).map((one) => ({ ...one, words: one.contact }));
    nameLane(u, ctx, shapes, colours.muted, false);
  }
}

/** `taken` are stretches of the lane, in pixels, that already hold something; returned with what was added. */
function nameLane(u, ctx, shapes, colour, bold, taken = []) {
  const gap = 3 * ratio();
  taken.push(...shapes.map(({ left, right }) => [left, right]));
  const isFree = (from, to) => from >= u.bbox.left && to <= u.bbox.left + u.bbox.width && taken.every(([left, right]) => to <= left || right <= from);
  ctx.font = font(11, bold);
  for (const { words, left, right, y } of shapes) {
    const wide = ctx.measureText(words).width + gap;
    const start = isFree(right, right + wide) ? right + gap : isFree(left - wide, left) ? left - wide : null;
    if (start === null) continue;
    taken.push([start - gap, start + wide]);
    write(ctx, words, start, y + 4 * ratio(), colour, { bold });
  }
  return taken;
}

/** Filled if the result could be interpreted, hollow if not; crossed at the foot of the panel where no number can be placed. */
function paintPoint(u, one, name, colours, { axis }) {
  const { ctx, bbox } = u;
  const x = xOf(u, one.date);
  if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) return;
  const scale = name === "severity" ? "severity" : "y";
  const y = yOf(u, one.y ?? axis.min, scale) - (one.y === null ? (RADIUS + 2) * ratio() : 0);
  const size = (isNarrow(u) ? RADIUS - 0.5 : RADIUS) * ratio();
  ctx.save();
  ctx.setLineDash([]);
  ctx.lineWidth = 2 * ratio();
  ctx.strokeStyle = colours[name];
  ctx.fillStyle = one.usable ? colours[name] : colours.paper;
  ctx.beginPath();
  if (name === "severity") ctx.rect(x - size, y - size, 2 * size, 2 * size);
  else ctx.arc(x, y, size, 0, 2 * Math.PI);
  ctx.fill();
  ctx.stroke();
  if (one.y === null) {
    line(ctx, x - size / 2, y - size / 2, x + size / 2, y + size / 2);
    line(ctx, x - size / 2, y + size / 2, x + size / 2, y - size / 2);
  }
  ctx.restore();
  u.drawn.points.push({ series: name, date: one.date, shown: one.shown, isHollow: !one.usable, x, y });
}

// ------------------------------------------------------------------------------------------------------------- strokes

const font = (size, bold) => `${bold ? "600 " : ""}${size * ratio()}px system-ui, sans-serif`;

function write(ctx, words, x, y, colour, { align = "left", size = 11, bold = false } = {}) {
  ctx.font = font(size, bold);
  ctx.textAlign = align;
  ctx.textBaseline = "alphabetic";
  ctx.fillStyle = colour;
  ctx.fillText(words, x, y);
}

function line(ctx, x0, y0, x1, y1) {
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}

function diamond(ctx, x, y, size, colour) {
  ctx.fillStyle = colour;
  ctx.beginPath();
  ctx.moveTo(x, y - size);
  ctx.lineTo(x + size, y);
  ctx.lineTo(x, y + size);
  ctx.lineTo(x - size, y);
  ctx.closePath();
  ctx.fill();
}
