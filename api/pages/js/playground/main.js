// The playground: keeps which specification, images and threshold are chosen, and has the parts draw them.

import { byId, element } from "../shared/elements.js";
import { open } from "../shared/frame.js";
import { Card } from "./card.js";
import { Detail } from "./detail.js";
import { ImageItem } from "./image-item.js";
import { takeImages } from "./inputs.js";
import { countOf } from "./predictions.js";
import { runAll } from "./run-all.js";
import { describeSpec, fillPicker, listSpecs, retrieveSpec } from "./specs.js";
import { ThresholdControl } from "./threshold.js";

const BELOW_EACH_OTHER = "(max-width: 62rem)"; // as in playground.css: the results are below the controls

const view = { spec: null, threshold: null };
let items = [];
let lane = null; // what was asked for since the last stop: images that wait in an older one are left alone
let shown = []; // the cards of the grid, or the one image in full
const control = new ThresholdControl((threshold) => {
  view.threshold = threshold;
  shown.forEach((each) => each.update());
  summarise();
});

open("playground", { current: "Playground", start });

async function start() {
  const groups = await listSpecs();
  const picker = byId("spec");
  fillPicker(picker, groups);
  const paths = groups.flatMap(({ choices }) => choices.map(({ path }) => path));
  const asked = decodeURIComponent(location.hash.slice(1));
  if (paths.includes(asked)) picker.value = asked;
  picker.addEventListener("change", () => choose(picker.value));
  byId("back").addEventListener("click", showGrid);
  byId("again").addEventListener("click", () => {
    stop();
    run(items);
  });
  byId("stop").addEventListener("click", stop);
  byId("clear").addEventListener("click", clear);
  takeImages(add);
  if (paths.length) await choose(picker.value);
  else byId("about-spec").textContent = "There is no specification yet. Upload a model first.";
}

async function choose(path) {
  let spec = view.spec;
  const told = [];
  try {
    spec = await retrieveSpec(path);
  } catch (error) {
    told.push(element("p", { class: "message bad", role: "alert" }, error.message));
  }
  if (byId("spec").value !== path) return; // another one was chosen meanwhile
  byId("about-spec").replaceChildren(...told, ...(spec ? describeSpec(spec) : []));
  if (spec) byId("spec").value = spec.path;
  if (spec === view.spec) return; // the one that was chosen cannot be had, so all stays as it is
  view.spec = spec;
  history.replaceState(null, "", `#${path}`);
  control.reset();
  stop();
  items.forEach((item) => item.reset());
  shown.forEach((each) => each.update());
  await run(items);
}

async function run(some) {
  if (!view.spec?.isRunnable) return;
  const mine = (lane ??= {});
  await runAll(some, view.spec, () => lane === mine);
}

function add(sources) {
  if (!view.spec || !sources.length) return;
  const added = sources.map((source) => new ImageItem(source));
  added.forEach((item) => item.addEventListener("change", summarise));
  items.push(...added);
  if (items.length === 1) showDetail(items[0]);
  else showGrid();
  if (matchMedia(BELOW_EACH_OTHER).matches) byId("results").scrollIntoView();
  run(added);
}

function stop() {
  lane = null;
  items.forEach((item) => item.stop());
  summarise();
}

function clear() {
  lane = null;
  items.forEach((item) => item.dispose());
  items = [];
  replaceShown([]);
  byId("detail").hidden = byId("grid").hidden = true;
  summarise();
}

function showGrid() {
  const cards = items.map((item) => new Card(item, view, showDetail));
  byId("grid").replaceChildren(...cards.map(({ node }) => node));
  replaceShown(cards);
  byId("detail").hidden = byId("back").hidden = true;
  byId("grid").hidden = false;
  summarise();
}

function showDetail(item) {
  const detail = new Detail(item, byId("detail"), view, () => run([item]));
  replaceShown([detail]);
  byId("grid").hidden = true;
  byId("detail").hidden = false;
  byId("back").hidden = items.length < 2;
  summarise();
  byId("results").focus({ preventScroll: items.length < 2 });
}

function replaceShown(others) {
  shown.forEach((each) => each.close());
  shown = others;
}

function summarise() {
  const states = Object.groupBy(items, ({ state }) => state);
  const count = (name) => states[name]?.length ?? 0;
  const open = count("waiting") + count("running");
  const parts = [`${items.length} ${items.length === 1 ? "image" : "images"}`];
  byId("stop").hidden = !lane || !open;
  if (open) parts.push(`${open} open`);
  if (count("failed")) parts.push(`${count("failed")} failed`);
  byId("summary").textContent = parts.join(" · ");
  byId("nothing").hidden = items.length > 0;
  byId("toolbar").hidden = items.length === 0;
  const outputs = shown.flatMap(({ item }) => item.outputs);
  control.show(outputs.length > 0, countOf(outputs, view.threshold), countOf(outputs, null));
}
