// One image in full: the picture with its boxes, the crop, the scores, the timing, and the request as text.

import { element } from "../shared/elements.js";
import { code } from "../shared/code.js";
import { tabs } from "../shared/tabs.js";
import { CropTool } from "./crop.js";
import { Picture } from "./picture.js";
import { scores } from "./scores.js";
import { asCurl, asPython } from "./snippets.js";
import { timing } from "./timing.js";

/** Shows `item` in `container`; `view` gives the specification and the threshold that are chosen now. */
export class Detail {
  constructor(item, container, view, oncrop) {
    this.item = item;
    this.view = view;
    this.picture = new Picture(item);
    this.crop = new CropTool(this.picture, oncrop);
    this.below = element("div", { class: "below" });
    this.tabs = tabs("The answer", {
      Scores: () => this.#scores(),
      JSON: () => (item.task ? code(JSON.stringify(item.task, null, 2), "The task") : this.#notYet()),
      curl: () => code(asCurl(view.spec, item), "The request with curl"),
      Python: () => code(asPython(view.spec, item), "The request in Python"),
    });
    container.replaceChildren(
      element("div", { class: "detail" },
        element("figure", { class: "shown" },
          this.picture.node,
          element("figcaption", {}, element("span", { class: "file-name" }, item.name), this.crop.node),
          this.below,
        ),
        element("div", { class: "panel answer" }, this.tabs.node)),
    );
    this.listener = () => this.update();
    item.addEventListener("change", this.listener);
    this.update();
  }

  /** Bring everything up to date with the item and the view. */
  update() {
    const { item, view } = this;
    const hasEnded = item.state === "done" || item.state === "failed";
    this.picture.draw(view.spec, view.threshold, (region) => this.#point(region));
    this.below.replaceChildren(...(hasEnded ? [timing(item)] : []));
    this.tabs.refresh();
  }

  close() {
    this.item.removeEventListener("change", this.listener);
  }

  #scores() {
    const { item, view } = this;
    if (item.state === "failed") return element("p", { class: "message bad", role: "alert" }, item.error);
    if (item.state !== "done") return this.#notYet();
    return scores(item, view.spec, view.threshold, (region) => this.#point(region));
  }

  #notYet() {
    return element("p", { class: "hint busy", role: "status" },
      this.item.state === "failed" ? this.item.error : " Waiting for the answer …",
    );
  }

  #point(region) {
    this.picture.emphasise(region);
    for (const row of this.tabs.node.querySelectorAll(".score-row")) {
      row.classList.toggle("pointed", region !== null && row.dataset.region === region);
    }
  }
}
