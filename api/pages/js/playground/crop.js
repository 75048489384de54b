// Choosing the part of an image to look at: by dragging over the picture, or by typing its sides.

import { element, placeOver } from "../shared/elements.js";

const SMALLEST = 0.01;
const WHOLE = { xmin: 0, ymin: 0, xmax: 1, ymax: 1 };
const POINTER_EVENTS = ["pointerdown", "pointermove", "pointerup", "pointercancel"];
const SIDES = { xmin: "Left", ymin: "Top", xmax: "Right", ymax: "Bottom" };
const clamp = (value) => Math.min(1, Math.max(0, value));
const rounded = (value) => Math.round(value * 10000) / 10000;

/** Return the box between two corners, or null if it is too small to be meant. */
export function boxBetween(a, b) {
  const box = {
    xmin: rounded(clamp(Math.min(a.x, b.x))), ymin: rounded(clamp(Math.min(a.y, b.y))),
    xmax: rounded(clamp(Math.max(a.x, b.x))), ymax: rounded(clamp(Math.max(a.y, b.y))),
  };
  return box.xmax - box.xmin >= SMALLEST && box.ymax - box.ymin >= SMALLEST ? box : null;
}

/** Crops the picture of an item; `onchange` is called when the crop is another one. */
export class CropTool {
  #start = null;

  constructor(picture, onchange) {
    this.item = picture.item;
    this.onchange = onchange;
    this.shade = element("div", { class: "crop-box", hidden: true });
    this.layer = element("div", { class: "crop-layer" }, this.shade);
    for (const type of POINTER_EVENTS) this.layer.addEventListener(type, this);
    picture.node.append(this.layer);
    this.toggle = element(
      "button",
      { type: "button", class: "crop", "aria-pressed": "false", onclick: () => this.#activate(!this.isActive) },
      "Crop",
    );
    this.whole = element("button", { type: "button", class: "quiet", onclick: () => this.#choose(null) },
      "Whole image",
    );
    this.fields = Object.entries(SIDES).map(([side, name]) => this.#field(side, name));
    this.sides = element("div", { class: "sides", role: "group", "aria-label": "Crop, in percent", hidden: true },
      element("p", { class: "hint" }, "Drag over the image, or type:"),
      this.fields.map(({ node }) => node),
    );
    this.node = element("div", { class: "crop-tools" }, this.toggle, this.whole, this.sides);
    this.#show(this.item.crop);
  }

  get isActive() {
    return this.layer.classList.contains("active");
  }

  handleEvent(event) {
    if (!this.isActive) return;
    const here = this.#point(event);
    if (event.type === "pointerdown") {
      this.#start = here;
      this.layer.setPointerCapture(event.pointerId);
      event.preventDefault();
    } else if (this.#start && event.type === "pointermove") {
      this.#show(boxBetween(this.#start, here));
    } else if (this.#start) {
      const box = event.type === "pointerup" ? boxBetween(this.#start, here) : null;
      this.#start = null;
      if (box) this.#choose(box);
      else this.#show(this.item.crop);
    }
  }

  #activate(active) {
    this.layer.classList.toggle("active", active);
    this.toggle.setAttribute("aria-pressed", active);
    this.sides.hidden = !active;
  }

  #choose(box) {
    if (JSON.stringify(box) === JSON.stringify(this.item.crop)) return this.#show(box);
    this.item.crop = box;
    this.#show(box);
    this.onchange();
  }

  #show(box) {
    this.shade.hidden = box === null;
    this.whole.hidden = box === null;
    if (box) placeOver(this.shade, box);
    for (const { input, side } of this.fields) input.value = rounded((box ?? WHOLE)[side] * 100);
  }

  #point(event) {
    const frame = this.layer.getBoundingClientRect();
    return { x: (event.clientX - frame.left) / frame.width, y: (event.clientY - frame.top) / frame.height };
  }

  #field(side, name) {
    const input = element("input", { type: "number", min: "0", max: "100", step: "any" });
    input.addEventListener("change", () => {
      const [left, top, right, bottom] = this.fields.map((field) => Number(field.input.value) / 100);
      const isWhole = left <= 0 && top <= 0 && right >= 1 && bottom >= 1;
      const isBox = !isWhole && left < right && top < bottom;
      this.#choose(isBox ? boxBetween({ x: left, y: top }, { x: right, y: bottom }) : null);
    });
    return { side, input, node: element("label", {}, name, " %", input) };
  }
}
