// Scores against thresholds as bars: what counts first, what does not after it, paler.

import { element } from "../shared/elements.js";
import { allPredictions, counts, shownScore } from "./predictions.js";

const ROWS_SHOWN = 30;
const LONG_NAME = 24; // characters: beside a bar, a longer name would take many lines
const hasLongName = ({ label_name: name }) => name.length > LONG_NAME;

/** Return the scores of all outputs of `item`; `onpoint` is told the region that is pointed at, or null. */
export function scores(item, spec, threshold, onpoint) {
  const lists = item.outputs.map((output, index) => list(
    output,
    index,
    spec,
    threshold,
    onpoint,
    item.outputs.length > 1,
  ));
  return element("div", { class: "scores" }, lists);
}

function list(output, index, spec, threshold, onpoint, numbered) {
  const predictions = allPredictions(output);
  const shown = predictions.slice(0, ROWS_SHOWN);
  const rows = shown.map((prediction) => row(
    prediction,
    index,
    spec.tone(index, prediction.label_id),
    threshold,
    onpoint,
  ));
  return element("div", {},
    numbered && element("h2", {}, `Output ${index + 1}`),
    element("ul", { class: shown.some(hasLongName) ? "long-names" : null }, rows),
    !predictions.length && element("p", { class: "hint" }, "Nothing was found, not even below the thresholds."),
    predictions.length > shown.length && element("p", { class: "hint" },
      `${predictions.length - shown.length} more with lower scores are in the JSON.`,
    ));
}

function row(prediction, output, tone, threshold, onpoint) {
  const { label_name: name, score, threshold: own, roi } = prediction;
  const limit = threshold ?? own;
  const passing = counts(prediction, threshold);
  const region = roi ? `${output}.${roi.region_id}` : null;
  const bar = element("div", {
    class: "bar", role: "meter", "aria-label": name, "aria-valuemin": "0", "aria-valuemax": "1", "aria-valuenow": score,
    "aria-valuetext": `${shownScore(score)}, ${passing ? "above" : "not above"} the threshold ${shownScore(limit)}`,
  }, element("div", { class: "fill" }), element("div", { class: "limit" }));
  bar.firstChild.style.width = `${score * 100}%`;
  bar.lastChild.style.left = `${limit * 100}%`;
  const node = element("li", {
    class: `score-row ${tone} ${passing ? "" : "discarded"}`,
    "data-region": region,
    tabindex: roi && "0",
  },
    element("span", { class: "dot" }),
    element("span", { class: "label-name" }, name, roi && element("small", {}, ` no. ${roi.region_id}`)),
    bar,
    element("span", { class: "number" }, shownScore(score)));
  if (region) {
    for (const type of ["pointerenter", "focus"]) node.addEventListener(type, () => onpoint(region));
    for (const type of ["pointerleave", "blur"]) node.addEventListener(type, () => onpoint(null));
  }
  return node;
}
