// One image of the grid: the picture with its boxes and the best labels, as a button that opens it in full.

import { element } from "../shared/elements.js";
import { Picture } from "./picture.js";
import { allPredictions, countOf, counts, shownScore } from "./predictions.js";

const LABELS_SHOWN = 3;

export class Card {
  constructor(item, view, onopen) {
    this.item = item;
    this.view = view;
    this.picture = new Picture(item);
    this.found = element("span", { class: "found" });
    this.node = element("button", { type: "button", class: "card", onclick: () => onopen(item) },
      element("span", { class: "room" }, this.picture.node),
      element("span", { class: "file-name" }, item.name), this.found);
    this.listener = () => this.update();
    item.addEventListener("change", this.listener);
    this.update();
  }

  update() {
    const { item, view } = this;
    this.picture.draw(view.spec, view.threshold);
    this.node.classList.toggle("failed", item.state === "failed");
    this.found.classList.toggle("busy", item.state === "running");
    this.found.replaceChildren(...this.#found());
  }

  close() {
    this.item.removeEventListener("change", this.listener);
  }

  #found() {
    const { item, view } = this;
    if (item.state === "failed") return [item.error];
    if (item.state !== "done") return [item.state === "running" ? " running" : "waiting"];
    const best = item.outputs.flatMap((output, index) =>
      allPredictions(output).filter((each) => counts(each, view.threshold)).map((each) => ({ ...each, index })));
    if (!best.length) return ["nothing above the threshold"];
    const more = countOf(item.outputs, view.threshold) - LABELS_SHOWN;
    return [
      ...best.slice(0, LABELS_SHOWN).map(({ label_id, label_name, score, index }) =>
        element("span", { class: `chip ${view.spec.tone(index, label_id)}` },
          element("span", { class: "dot" }), element("span", { class: "label-name" }, label_name),
          element("span", { class: "number" }, shownScore(score)),
        )),
      ...(more > 0 ? [element("span", { class: "chip" }, `+${more}`)] : []),
    ];
  }
}
