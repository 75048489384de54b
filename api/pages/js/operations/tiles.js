// The figures at the top: each with what it is now, a note, and its course over the time shown.

import { element } from "../shared/elements.js";
import { shownCount, shownMs, shownNumber, shownSeconds } from "../shared/formats.js";
import { chart } from "./chart.js";

const percent = (share) => `${Math.round(share * 100)} %`;
const NOW_BUCKETS = 3; // “now” is the mean over half a minute: a single bucket jumps

/** Return the tiles for an answer of the service. */
export function tiles(told) {
  // The last bucket is not full yet: it would show a drop that there is not.
  const history = told.history.slice(0, -1);
  const recent = history.slice(-NOW_BUCKETS);
  const perSecond = (count) => count / told.bucket_seconds;
  const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);
  const points = (value, second) => history.map((bucket) => ({
    date: bucket.date,
    value: value(bucket),
    second: second?.(bucket),
  }));
  const devices = Math.max(new Set(told.workers.map(({ host, device }) => `${host} ${device}`)).size, 1);
  const busy = ({ device_busy_seconds: seconds }) => Math.min((seconds ?? 0) / told.bucket_seconds / devices, 1);
  const { totals } = told;
  const throughput = mean(recent.map(({ succeeded, failed }) => perSecond(succeeded + failed)));
  const batchSize = mean(recent.map(({ mean_batch_size: size }) => size).filter((size) => size !== null));
  const batches = history.reduce((sum, bucket) => sum + bucket.batches, 0);
  const failures = element("span", { class: "bad" }, `${shownCount(totals.failed)} failed`);
  const { mean: meanMs, median, p95 } = totals.task_milliseconds;
  return [
    tile("Throughput", shownNumber(throughput), "tasks a second",
      [`${shownCount(totals.succeeded)} succeeded, `, totals.failed ? failures : "none failed"],
      points(({ succeeded, failed }) => perSecond(succeeded + failed), ({ failed }) => perSecond(failed)),
      (value) => `${shownNumber(value)}/s`),
    tile("Waiting or under way", shownCount(told.pending.count), told.pending.count === 1 ? "task" : "tasks",
      [told.pending.count ? `the oldest for ${shownSeconds(told.pending.oldest_seconds)}` : "nothing is waiting"],
      points(({ pending }) => pending), shownCount),
    tile("Time of a task", shownMs(median), "median",
      [`mean ${shownMs(meanMs)}, 95 % within ${shownMs(p95)}`],
      points(({ task_milliseconds: ms }) => ms), shownMs),
    tile("Devices busy", percent(mean(recent.map(busy)) ?? 0), "of the time",
      [devices === 1 ? "one device" : `${devices} devices`],
      points(busy), percent),
    tile("Images in a batch", shownNumber(batchSize), "on average",
      [`${shownCount(batches)} batches`],
      points(({ mean_batch_size: size }) => size), shownNumber),
    tile("Oldest waiting", shownSeconds(told.pending.oldest_seconds), "",
      ["the oldest task that has not ended"],
      points(({ oldest_seconds: seconds }) => seconds), shownSeconds),
  ];
}

function tile(title, figure, unit, note, points, shown) {
  return element("section", { class: "panel tile", "aria-label": title },
    element("h2", {}, title),
    element("p", { class: "figure" }, figure, " ", element("small", {}, unit)),
    element("p", { class: "note" }, note),
    chart(title, points, shown));
}
