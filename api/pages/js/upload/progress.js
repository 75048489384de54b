// How a deployment goes, step by step; and at its end what to do next, or what went wrong.

import { byId, element } from "../shared/elements.js";
import { STEPS } from "./deployment.js";

export class Progress {
  constructor() {
    this.node = byId("progress");
    this.steps = new Map(Object.entries(STEPS).map(([step, name]) => [
      step,
      element("li", { "data-step": step }, name),
    ]));
    this.end = element("div", { role: "status" });
    this.node.replaceChildren(
      element("h2", {}, "Deployment"),
      element("ol", { class: "steps" }, ...this.steps.values()),
      this.end,
    );
    this.node.hidden = false;
    this.node.focus();
    this.node.scrollIntoView({ block: "nearest" });
  }

  /** Show the state of a step: current, done or failed; with a note, or the fraction that is done. */
  tell(step, state, note = null, fraction = null) {
    const item = this.steps.get(step);
    item.className = state;
    item.replaceChildren(
      STEPS[step],
      ...(fraction !== null && state === "current" ? [element(
        "progress",
        { max: "1", value: fraction, "aria-label": "Sent" },
      )] : []),
      ...(note ? [element("span", { class: "note" }, note)] : []),
    );
  }

  succeed({ spec, version }) {
    const root = new URL("../../../", import.meta.url);
    this.#finish(
      element("p", { class: "message good" }, `Version ${version.id} of “${spec.name}” is deployed. `,
        element("a", { href: new URL(`./#recognition/specs/${spec.id}`, root) }, "Try it in the playground")),
    );
  }

  fail(error) {
    if (error.step) this.tell(error.step, "failed");
    const fields = Object.entries(error.fields ?? {});
    this.#finish(
      element("div", { class: "message bad", role: "alert" },
        element("p", {}, error.message),
        fields.length > 1 && element("ul", { class: "errors" }, fields.map(([path, messages]) =>
          element("li", {}, element("code", {}, path), `: ${messages.join(" ")}`)))),
    );
  }

  #finish(message) {
    this.end.replaceChildren(message);
    this.end.scrollIntoView({ block: "nearest" });
  }
}
