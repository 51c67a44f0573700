// Redirect target of the launch, and the app: signs in or opens the demo server, reads the chart, shows the story.

import { Problem, readStory } from "./chart_data.js";
import { drawCharts } from "./charts.js";
import { fillTables } from "./tables.js";

const byId = (id) => document.getElementById(id);
const SESSION = "SMART_KEY"; // where fhirclient.js keeps the name of the running session

function fail(words) {
  byId("status").hidden = true;
  byId("problem").textContent = words;
  byId("problem").hidden = false;
}

/** The FHIR client and the patient; null where there is neither a launch nor a patient to open. */
async function open(parameters) {
  const patient = parameters.get("patient");
  const server = document.body.dataset.server;
  if (server && patient) {
    return { client: window.FHIR.client({ serverUrl: server }), patientId: patient };
  }
  if (parameters.has("error")) {
    throw new Problem(`The EHR did not allow it (${parameters.get("error_description") || parameters.get("error")}).`);
  }
  if (parameters.has("code") && !sessionStorage.getItem(parameters.get("state") || "")) {
    // Also without any state: fhirclient.js would then fall back on the session it began last.
    throw new Problem("This answer does not belong to a launch from this window (unknown state). Open the app again from the EHR.");
  }
  if (!parameters.has("code") && !sessionStorage.getItem(SESSION)) return null;
  const client = await window.FHIR.oauth2.ready();
  if (!client.patient.id) throw new Problem("The EHR named no patient for this launch. Open the app from a patient's chart.");
  return { client, patientId: client.patient.id };
}

async function start() {
  const opened = await open(new URLSearchParams(location.search));
  if (!opened) {
    fail("Iron story is opened from a patient's chart in the EHR.");
    return;
  }
  const { story, patient } = await readStory(opened.client, opened.patientId);
  if (patient?.resourceType !== "Patient") throw new Problem("The patient's record could not be read, so nothing is shown.");
  show(story, patient);
}

function show(story, patient) {
  byId("patient").textContent = describePatient(patient, story.patient);
  byId("patient").hidden = false;
  showConclusions(story.conclusions);
  list(byId("notes"), story.notes);
  byId("notes").hidden = !story.notes.length;
  fillTables(byId("tables"), story);
  showFoot(story.knowledge);
  byId("status").hidden = true;
  byId("story").hidden = false;
  drawCharts(story);
}

function describePatient(resource, known) {
  const name = resource.name?.[0] || {};
  const words = name.text || [...(name.given || []), name.family].filter(Boolean).join(" ") || "Name not recorded";
  const age = known.age === null ? "" : ` (${known.age} years)`;
  return [words, known.sex, known.born ? `born ${known.born}${age}` : "birth date not recorded"].filter(Boolean).join(" \u00b7 ");
}

function showConclusions(conclusions) {
  if (!conclusions) return;
  byId("today-title").textContent = conclusions.headline;
  list(byId("say"), [...conclusions.say, ...conclusions.notYet]);
  byId("conclusions").hidden = false;
}

function list(parent, lines) {
  parent.replaceChildren(
    ...lines.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }),
  );
}

function showFoot(knowledge) {
  const link = document.createElement("a");
  link.href = knowledge.url;
  link.target = "_blank";
  link.rel = "noopener";
  link.textContent = "Rules, thresholds and sources";
  byId("foot").replaceChildren(
    link,
    `. ${knowledge.text}. Decision support only: the clinician decides. The service keeps nothing of this chart.`,
  );
}

start().catch((wrong) => fail(wrong instanceof Problem ? wrong.message : `Iron story could not be opened: ${wrong.message}`));
