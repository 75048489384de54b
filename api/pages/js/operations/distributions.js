// How times and batch sizes are distributed over the time shown.

import { element } from "../shared/elements.js";
import { shownCount, shownMs } from "../shared/formats.js";

const STAGES = {
  queued: "in the queue",
  load: "loading the network",
  fetch: "fetching by URL",
  decode: "decoding",
  preprocess: "resizing",
  batch_wait: "waiting for a batch",
  device: "on the device",
  postprocess: "finding labels",
  write: "writing the answer",
};

/** Return the times of the stages: the median in full colour, up to the 95th percentile paler. */
export function stages(told) {
  if (!told.stages.length) return element("p", { class: "calm" }, "No task has ended in this time.");
  const longest = Math.max(...told.stages.map(({ p95_milliseconds: ms }) => ms ?? 0), 0.001);
  const bar = (ms) => {
    const part = element("span");
    part.style.width = `${((ms ?? 0) / longest) * 100}%`;
    return part;
  };
  return element("div", {},
    element("div", { class: "rows" }, told.stages.flatMap((stage) => row(stage, bar))),
    element("p", { class: "hint legend" }, "Median · 95 % within"));
}

function row({ stage, median_milliseconds: median, p95_milliseconds: p95 }, bar) {
  return [
    element("span", {}, STAGES[stage] ?? stage),
    element("span", { class: "row-bar", "aria-hidden": "true" }, bar(p95), bar(median)),
    element("span", { class: "value" }, shownMs(median), element("span", { class: "hint" }, ` · ${shownMs(p95)}`)),
  ];
}

/** Return how many batches there were of each size. */
export function batchSizes(told) {
  const sizes = told.batch_sizes;
  const last = sizes.findLastIndex(({ batches }) => batches > 0);
  if (last < 0) return element("p", { class: "calm" }, "No batch has run in this time.");
  const most = Math.max(...sizes.map(({ batches }) => batches));
  return element("ol", { class: "columns" }, sizes.slice(0, last + 1).map(({ up_to: bound, batches }, index) => {
    const column = element("span");
    column.style.height = `${(batches / most) * 85}%`;
    return element("li", {},
      element("div", { class: "well" }, element("b", {}, shownCount(batches)), column),
      rangeUpTo(bound, sizes[index - 1]?.up_to ?? 0),
    );
  }));
}

function rangeUpTo(bound, before) {
  if (bound === null) return `over ${before}`;
  return bound === before + 1 ? `${bound}` : `${before + 1}–${bound}`;
}
