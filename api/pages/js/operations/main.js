// The operations page: asks the service every few seconds while it is looked at, and has the parts show the answer.

import { api } from "../shared/client.js";
import { byId } from "../shared/elements.js";
import { shownTime } from "../shared/formats.js";
import { open } from "../shared/frame.js";
import { batchSizes, stages } from "./distributions.js";
import { errors, losses, networks, workers } from "./lists.js";
import { tiles } from "./tiles.js";
import { VersionsPanel } from "./versions.js";

const PAUSE_MS = 5000;
const PARTS = { losses, stages, batches: batchSizes, workers, networks, errors };

const spans = () => document.querySelectorAll("[data-minutes]");

let minutes = 60;
let timer = null;

open("operations", { current: "Operations", start, needs: ["admin"] });

async function start() {
  for (const button of spans()) button.addEventListener("click", () => choose(button));
  document.addEventListener("visibilitychange", () => !document.hidden && refresh());
  await Promise.all([refresh(), new VersionsPanel().open()]);
}

function choose(chosen) {
  minutes = Number(chosen.dataset.minutes);
  for (const button of spans()) button.setAttribute("aria-pressed", button === chosen);
  refresh();
}

async function refresh() {
  clearTimeout(timer);
  try {
    show(await api.get(`operations?minutes=${minutes}`));
  } catch (error) {
    tellState(error.message);
    byId("freshness").classList.add("stale");
  }
  if (!document.hidden) timer = setTimeout(refresh, PAUSE_MS);
}

/** Say whether the figures are fresh; of the time alone, which changes every few seconds, screen readers hear nothing. */
function tellState(state, asOf = "") {
  if (byId("state").textContent !== state) byId("state").textContent = state;
  byId("as-of").textContent = asOf;
}

function show(told) {
  tellState("live", shownTime(told.date));
  byId("freshness").classList.remove("stale");
  const isRead = byId("tiles").matches(":hover"); // a value is being read off: drawing anew would take it away
  if (!isRead) byId("tiles").replaceChildren(...tiles(told));
  for (const [id, part] of Object.entries(PARTS)) byId(id).replaceChildren(part(told));
}
