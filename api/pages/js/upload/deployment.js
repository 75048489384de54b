// From files and a description to a version that answers: the steps, each of which can fail and be tried again.
//
// What a failed attempt has made and the next can use stays: a network that was deployed is not sent a second time
// because a label was misspelt. What it cannot use is deleted.

import { api, RequestFailed } from "../shared/client.js";
import { endedTask } from "../shared/tasks.js";
import { createNetwork } from "./send.js";

export const STEPS = { spec: "Specification", upload: "Upload", deploy: "Deployment by a worker", version: "Version" };

export class Deployment {
  #network = null;
  #spec = null;

  /** Bring `plan` about; `tell(step, state, note)` hears how each step goes. Returns {network, spec, version}. */
  async run({ description, files, spec, makeCurrent }, tell) {
    const found = spec ?? (await this.#step("spec", tell, () => this.#newSpec(description)));
    if (spec) tell("spec", "done", `${spec.name} (${spec.id})`);
    const network = await this.#step("upload", tell, () => this.#upload(description, files, tell));
    await this.#step("deploy", tell, () => this.#deployed(network, tell));
    const version = await this.#step("version", tell, () =>
      this.#newVersion(found, network, description, makeCurrent, tell));
    this.#network = this.#spec = null;
    return { network, spec: found, version };
  }

  async #step(step, tell, work) {
    tell(step, "current");
    try {
      return await work();
    } catch (error) {
      error.step = step;
      throw error;
    }
  }

  async #newSpec({ name, description, metadata, outputs }) {
    const fields = { name, description, metadata, outputs };
    this.#spec = await this.#madeFor(this.#spec, JSON.stringify(fields), "recognition/specs", () =>
      api.post("recognition/specs", { json: fields }));
    return this.#spec.made;
  }

  async #upload({ name, description, metadata, framework, preprocessing, postprocessings }, files, tell) {
    const fields = { name, description, metadata, framework, preprocessing, postprocessings };
    const identity = JSON.stringify([fields, files.map((file) => [file.name, file.size, file.lastModified])]);
    this.#network = await this.#madeFor(this.#network, identity, "networks", () =>
      createNetwork(fields, files, (fraction) => tell("upload", "current", null, fraction)));
    tell("upload", "done", `network ${this.#network.made.id}`);
    return this.#network.made;
  }

  /** Return {identity, made}: what is there if it is the same, else what `make` makes in its place. */
  async #madeFor(old, identity, path, make) {
    if (old?.identity === identity) return old;
    if (old) await api.delete(`${path}/${old.made.id}`);
    return { identity, made: await make() };
  }

  async #deployed(network, tell) {
    const task = await endedTask(
      network.task_id,
      { seen: () => tell("deploy", "current", "A worker loads the weights and runs an image through them.") },
    );
    if (task.status === "error") {
      await api.delete(`networks/${network.id}`);
      this.#network = null;
      throw new RequestFailed(0, task.error);
    }
    const tensors = task.data.outputs.map(({ name, shape }) => `${name} ${shape.map((size) => size ?? "?").join("×")}`);
    tell("deploy", "done", `It gives ${tensors.join(", ")}.`);
  }

  async #newVersion(spec, network, { post_processings }, makeCurrent, tell) {
    tell("spec", "done", `${spec.name} (${spec.id})`);
    const version = await api.post(
      "recognition/versions",
      { json: { spec_id: spec.id, network_id: network.id, post_processings } },
    );
    if (makeCurrent) await api.patch(`recognition/specs/${spec.id}`, { current_version_id: version.id });
    tell("version", "done", `version ${version.id}`);
    return version;
  }
}
