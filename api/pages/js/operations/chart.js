// A small chart of one or two series over time. Points without a value leave a gap.

import { drawn, element } from "../shared/elements.js";
import { shownTime } from "../shared/formats.js";

const WIDTH = 1000; // of the drawing, which is stretched over the chart
const HEIGHT = 100;

/** Return [[x, y], …] runs of neighbouring points that have values. */
function runsOf(values, highest) {
  const runs = [[]];
  values.forEach((value, index) => {
    if (value === null) return runs.push([]);
    runs.at(-1).push([(index / Math.max(values.length - 1, 1)) * WIDTH, HEIGHT - (value / highest) * HEIGHT]);
  });
  return runs.filter((run) => run.length);
}

function series(values, highest, name) {
  const runs = runsOf(values, highest);
  const path = (run) => run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
  // A lone point is drawn as a short stroke, because a line needs two.
  const line = runs.map((run) => `M${path(run)}${run.length === 1 ? "h3" : ""}`).join("");
  const area = runs.map(
    (run) => `M${run[0][0].toFixed(1)} ${HEIGHT}L${path(run)}L${run.at(-1)[0].toFixed(1)} ${HEIGHT}Z`
  ).join("");
  return drawn("g", { class: name },
    drawn("path", { class: "area", d: area }),
    drawn("path", { class: "line", d: line }),
  );
}

/** Return a chart with its axis. `points` are [{date, value, second}], `shown` turns a value into text. */
export function chart(title, points, shown) {
  const values = points.map(({ value }) => value ?? null);
  const seconds = points.map(({ second }) => second ?? null);
  const hasSecond = seconds.some((value) => value);
  const highest = Math.max(...values, ...seconds, 0);
  const last = values.findLast((value) => value !== null) ?? null;
  const told = `${title}: ${last === null ? "nothing yet" : `${shown(last)} now, ${shown(highest)} at most`}.`;
  const svg = drawn("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": told,
  },
    drawn("line", { class: "ground", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }),
    series(values, highest || 1, "first"),
    ...(hasSecond ? [series(seconds, highest || 1, "second")] : []));
  const plot = element("div", { class: "chart" }, svg);
  readOut(plot, points, shown);
  return element("div", {}, plot, element("p", { class: "axis", "aria-hidden": "true" },
    element("span", {}, points.length ? shownTime(points[0].date) : ""),
    element("span", {}, highest > 0 ? `highest ${shown(highest)}` : ""),
    element("span", {}, points.length ? shownTime(points.at(-1).date) : "")));
}

/** Let the chart say the value that the pointer is at. */
function readOut(node, points, shown) {
  let marks = [];
  const clear = () => {
    marks.forEach((mark) => mark.remove());
    marks = [];
  };
  node.addEventListener("pointerleave", clear);
  node.addEventListener("pointermove", (event) => {
    clear();
    const frame = node.getBoundingClientRect();
    const index = Math.round(((event.clientX - frame.left) / frame.width) * (points.length - 1));
    const point = points[Math.min(Math.max(index, 0), points.length - 1)];
    if (point?.value === null || point?.value === undefined) return;
    const failed = point.second ? `, ${shown(point.second)} failed` : "";
    marks = [
      element("span", { class: "cursor" }),
      element("span", { class: "readout" }, `${shownTime(point.date)}  ${shown(point.value)}${failed}`),
    ];
    const place = `${(index / Math.max(points.length - 1, 1)) * 100}%`;
    marks.forEach((mark) => (mark.style.left = place));
    node.append(...marks);
  });
}
