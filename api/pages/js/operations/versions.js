// The versions of a specification: which one answers, switching to another, and going back.

import { api, everything } from "../shared/client.js";
import { byId, element } from "../shared/elements.js";
import { shownDate } from "../shared/formats.js";
import { table } from "../shared/table.js";

/** Fills the panel of versions; call `open` once. */
export class VersionsPanel {
  #spec = null;
  #versions = [];

  async open() {
    const specs = await everything("recognition/specs");
    const picker = byId("spec");
    picker.replaceChildren(...specs.map(({ id, name }) => element("option", { value: id }, `${name} (${id})`)));
    picker.addEventListener("change", () => this.#choose(picker.value));
    byId("rollback").addEventListener("click", () => this.#switch(this.#earlier, true));
    if (specs.length) return this.#choose(picker.value);
    picker.hidden = byId("rollback").hidden = true;
    byId("versions").replaceChildren(element("p", { class: "calm" },
      "Your account has no specification yet; public ones are switched with the command line.",
    ));
  }

  /** The version that was created before the current one, as `recoq rollback` takes it. */
  get #earlier() {
    const current = this.#spec.current_version_id;
    return this.#versions.filter(({ id }) => current !== null && id < current).at(-1) ?? null;
  }

  async #choose(specId) {
    byId("switched").replaceChildren();
    await this.#attempt(() => this.#load(specId));
  }

  async #load(specId) {
    const path = `recognition/specs/${specId}`;
    const [spec, versions] = await Promise.all([api.get(path), everything(`${path}/versions`)]);
    if (byId("spec").value !== `${specId}`) return; // another one was chosen meanwhile
    this.#spec = spec;
    this.#versions = versions.sort((a, b) => a.id - b.id);
    this.#show();
  }

  async #switch(version, isRollback = false) {
    const { id: specId, name, current_version_id: before } = this.#spec;
    await this.#attempt(async () => {
      await api.patch(`recognition/specs/${specId}`, { current_version_id: version.id });
      await this.#load(specId);
      const verb = isRollback ? "is back at" : "answers with";
      const old = this.#versions.find(({ id }) => id === before);
      byId("switched").replaceChildren(element("p", { class: "message good" },
        `${name} ${verb} version ${version.id} from now on. Tasks that were accepted before keep theirs.`,
        old && element("button", { type: "button", class: "quiet", onclick: () => this.#switch(old) },
          `Undo: version ${before}`,
        )));
    });
  }

  async #attempt(work) {
    try {
      await work();
    } catch (error) {
      byId("switched").replaceChildren(element("p", { class: "message bad", role: "alert" }, error.message));
    }
  }

  #show() {
    const current = this.#spec.current_version_id;
    const earlier = this.#earlier;
    byId("rollback").disabled = earlier === null;
    byId("rollback").textContent = earlier === null ? "Roll back" : `Roll back to ${earlier.id}`;
    byId("versions").replaceChildren(
      this.#versions.length
        ? table(`Versions of ${this.#spec.name}`, [
            { title: "Version", cell: ({ id }) => `${id}` },
            {
              title: "Network",
              cell: ({ network_name: name, network_id: id }) => [
                name,
                element("span", { class: "sub" }, `network ${id}`),
              ],
            },
            { title: "Made", cell: ({ create_date: date }) => shownDate(date) },
            { title: "State", amount: true, cell: (version) => this.#action(version, current) },
          ], this.#versions.toReversed())
        : element("p", { class: "calm" }, "It has no version yet."));
  }

  #action(version, current) {
    if (version.id === current) return element("span", { class: "chip current" }, "current");
    return element(
      "button",
      { type: "button", "aria-label": `Switch to version ${version.id}`, onclick: () => this.#switch(version) },
      "Switch to it",
    );
  }
}
