// The files of a network: chosen, or dropped as files or as a folder; and whether they make a set of weights.

import { byId, element } from "../shared/elements.js";
import { shownBytes } from "../shared/formats.js";

export const DESCRIPTION = "model.json";
const ARCHITECTURE = "architecture.json";
const PROGRAMS = ["model.pt2", "model.torchscript"];
const STATES = ["weights.safetensors", "weights.pth"];

/** The files that a person gave, by name; `onchange` is called when they are others. */
export class Files {
  #byName = new Map();

  constructor(onchange) {
    this.onchange = onchange;
    for (const [button, input] of [["choose-folder", "folder"], ["choose-files", "files"]]) {
      byId(button).addEventListener("click", () => byId(input).click());
      byId(input).addEventListener("change", (event) => {
        this.#take([...event.target.files]);
        event.target.value = "";
      });
    }
    this.#takeDropped(byId("drop"));
  }

  /** Return the text of model.json, or null. */
  async description() {
    return (await this.#byName.get(DESCRIPTION)?.text()) ?? null;
  }

  /** Return the files that belong to the network. */
  get ofNetwork() {
    return [...this.#byName.values()].filter(({ name }) => isOfNetwork(name));
  }

  /** Return what is wrong with the set, or null. */
  get problem() {
    const names = this.ofNetwork.map(({ name }) => name);
    const weights = names.filter((name) => [...PROGRAMS, ...STATES].includes(name));
    if (!weights.length) return "The weights are missing.";
    if (weights.length > 1) return `${weights.join(" and ")} do not go together: give one set of weights.`;
    const [name] = weights;
    const isState = STATES.includes(name);
    if (isState && !names.includes(ARCHITECTURE)) return `${name} needs ${ARCHITECTURE} beside it.`;
    if (!isState && names.includes(ARCHITECTURE)) return `${name} needs no ${ARCHITECTURE}.`;
    return null;
  }

  #take(files) {
    const top = files.filter(({ webkitRelativePath }) => webkitRelativePath.split("/").length <= 2);
    if (!top.length) return;
    const isSet = top.some(({ name }) => [...PROGRAMS, ...STATES].includes(name));
    if (isSet) this.#byName.clear();
    for (const file of top) this.#byName.set(file.name, file);
    this.#show();
    this.onchange(top.some(({ name }) => name === DESCRIPTION));
  }

  #show() {
    byId("file-list").replaceChildren(
      ...[...this.#byName.values()].map(({ name, size }) =>
        element("li", {},
          element("span", { class: isOfNetwork(name) || name === DESCRIPTION ? null : "unused" }, name),
          element("span", { class: "hint number" }, shownBytes(size)),
        )),
    );
    byId("file-verdict").textContent = this.problem ?? "This is a complete set of weights.";
  }

  #takeDropped(drop) {
    drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", async (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const plain = [...event.dataTransfer.files];
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
      const folder = entries.find((entry) => entry.isDirectory);
      this.#take(folder ? await filesIn(folder) : plain);
    });
  }
}

function isOfNetwork(name) {
  return [...PROGRAMS, ...STATES, ARCHITECTURE].includes(name) || name.endsWith(".npy");
}

async function filesIn(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // 100 at a time
    if (!entries.length) break;
    found.push(...entries.filter((entry) => entry.isFile));
  }
  return Promise.all(found.map((entry) => new Promise((resolve, reject) => entry.file(resolve, reject))));
}
