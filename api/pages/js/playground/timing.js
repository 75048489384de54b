// Where the time of a task went, as a bar of its stages.

import { element } from "../shared/elements.js";
import { shownMs } from "../shared/formats.js";

const STAGES = {
  queued: "in the queue",
  load: "loading the network",
  fetch: "fetching",
  decode: "decoding",
  preprocess: "resizing",
  batch_wait: "waiting for the batch",
  device: "on the device",
  postprocess: "finding labels",
};

const LEAST_MS = 0.05; // a stage that took less would read as 0.0 ms

/** Return the timing of an item that has ended. */
export function timing(item) {
  const told = item.task?.timing;
  const stages = Object.entries(STAGES).filter(([name]) => told?.[name] >= LEAST_MS);
  const facts = [["answered in", shownMs(item.roundTripMs)]];
  if (typeof told?.total === "number") facts.push(["in the service", shownMs(told.total)]);
  if (typeof told?.batch_size === "number") facts.push(["batch of", told.batch_size]);
  if (told?.version_id) facts.push(["version", told.version_id]);
  if (told?.attempts > 1) facts.push(["attempts", told.attempts]);
  return element("div", { class: "timing" },
    stages.length > 1 && bar(stages, told),
    element("dl", { class: "facts" },
      facts.map(([name, value]) => fact(`${value}`, name)),
      stages.map(([name, text]) => fact(shownMs(told[name]), text, `stage-${name}`))));
}

/** Return a value with its name; those of a stage have its class and its colour. */
function fact(value, name, stage = null) {
  return element("div", { class: stage },
    element("dt", {}, stage && element("span", { class: "dot" }), name),
    element("dd", { class: "number" }, value));
}

function bar(stages, told) {
  const parts = stages.map(([name]) => {
    const part = element("span", { class: `stage-${name}` });
    part.style.flexGrow = told[name];
    return part;
  });
  return element("div", { class: "stages", "aria-hidden": "true" }, parts);
}
