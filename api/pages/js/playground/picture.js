// Shows an image with its boxes over it, each at its exact place whatever the size of the picture.

import { element, placeOver } from "../shared/elements.js";
import { regionsThatCount, shownScore } from "./predictions.js";

const UNKNOWN_SIZE = { width: 4, height: 3 };
const TAG_ROOM = 0.08; // of the height: above a box that begins higher, its tag would leave the picture
const RIGHT_PART = 0.7; // of the width: the tag of a box that begins further right reaches to the left
const remoteImagePage = new URL("../../remote-image.html", import.meta.url);

/** The picture of one item. `node` is its element; `draw` brings the boxes up to date. */
export class Picture {
  constructor(item) {
    this.item = item;
    this.boxes = element("div", { class: "boxes" });
    this.node = element("div", { class: "picture" }, item.isRemote ? this.#frame() : this.#image(), this.boxes);
    this.#fit(item.size ?? UNKNOWN_SIZE);
  }

  /** Draw what counts at `threshold`; `onpoint` is told the region that the pointer is on, or null. */
  draw(spec, threshold, onpoint = () => {}) {
    const drawn = this.item.outputs.flatMap((output, index) =>
      regionsThatCount(output, threshold).map((region) => box(
        region,
        spec.tone(index, region.best.label_id),
        `${index}.${region.regionId}`,
        onpoint,
      )),
    );
    // The largest first, so that a small box within it can still be pointed at.
    drawn.sort((a, b) => b.area - a.area);
    this.boxes.replaceChildren(...drawn.map(({ node }) => node));
  }

  /** Let the box of a region stand out, or none. */
  emphasise(region) {
    this.boxes.classList.toggle("pointing", region !== null);
    for (const each of this.boxes.children) each.classList.toggle("pointed", each.dataset.region === region);
  }

  #fit(size) {
    this.node.style.setProperty("--aspect", size.width / size.height);
  }

  #seen(size) {
    this.item.size = size;
    if (size) this.#fit(size);
    this.node.classList.toggle("unseen", !size);
  }

  #image() {
    const image = element("img", { src: this.item.preview, alt: this.item.name, draggable: "false" });
    image.addEventListener("load", () => this.#seen({ width: image.naturalWidth, height: image.naturalHeight }));
    image.addEventListener("error", () => this.#seen(null));
    return image;
  }

  #frame() {
    const source = `${remoteImagePage.href}#${encodeURIComponent(this.item.source)}`;
    const frame = element(
      "iframe",
      { src: source, sandbox: "allow-scripts", title: this.item.name, tabindex: "-1", scrolling: "no" },
    );
    const hear = (event) => {
      if (!frame.isConnected && event.source === null) removeEventListener("message", hear);
      if (event.source === frame.contentWindow) this.#seen(event.data);
    };
    addEventListener("message", hear);
    return frame;
  }
}

function box({ bbox, best }, tone, region, onpoint) {
  const leftwards = bbox.xmin > RIGHT_PART;
  const places = [bbox.ymin < TAG_ROOM && "inside", leftwards && "leftwards"].filter(Boolean).join(" ");
  const node = element("div", { class: `box ${tone} ${places}`, "data-region": region },
    element("span", { class: "tag" },
      element("span", {}, best.label_name), " ", element("b", {}, shownScore(best.score))));
  placeOver(node, bbox);
  node.style.setProperty("--room", leftwards ? bbox.xmax : 1 - bbox.xmin);
  node.addEventListener("pointerenter", () => onpoint(region));
  node.addEventListener("pointerleave", () => onpoint(null));
  return { node, area: (bbox.xmax - bbox.xmin) * (bbox.ymax - bbox.ymin) };
}
