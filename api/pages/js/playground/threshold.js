// The slider that shows what another threshold would give. Nothing is sent: the scores below it are here already.

import { byId } from "../shared/elements.js";
import { shownScore } from "./predictions.js";

/** Calls `onchange` with the threshold: a number, or null for each label's own. */
export class ThresholdControl {
  constructor(onchange) {
    this.onchange = onchange;
    this.slider = byId("threshold");
    this.slider.addEventListener("input", () => this.#choose(Number(this.slider.value)));
    byId("own-thresholds").addEventListener("click", () => this.#choose(null));
  }

  /** Go back to each label's own threshold. */
  reset() {
    this.slider.value = "0.5";
    this.#choose(null);
  }

  /** Show the control, and how many predictions count now and would with the thresholds of the version. */
  show(visible, count, ownCount) {
    byId("threshold-panel").hidden = !visible;
    byId("threshold-effect").textContent = this.isOwn ? `${ownCount} found` : `${count} found, ${ownCount} as set`;
  }

  #choose(threshold) {
    this.isOwn = threshold === null;
    byId("threshold-value").textContent = this.isOwn ? "as set" : shownScore(threshold);
    this.slider.classList.toggle("unused", this.isOwn);
    byId("own-thresholds").disabled = this.isOwn;
    this.onchange(threshold);
  }
}
