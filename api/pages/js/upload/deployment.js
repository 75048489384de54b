// From files and a description to a version that answers: the steps, each of which can fail and be tried again.
//
// A network that was deployed stays after a failed attempt: it is not sent a second time because a label was misspelt.
// Whatever else an attempt has made is deleted when it fails.

import { api, RequestFailed } from "../shared/client.js";
import { endedTask } from "../shared/tasks.js";
import { createNetwork } from "./send.js";

export const STEPS = { spec: "Specification", upload: "Upload", deploy: "Deployment by a worker", version: "Version" };

export class Deployment {
  #network = null;
  #spec = null;

  /** Bring `plan` about; `tell(step, state, note)` hears how each step goes. Returns {network, spec, version}. */
  async run(plan, tell) {
    try {
      return await this.#run(plan, tell);
    } catch (error) {
      if (this.#spec) await this.#dropSpec(tell);
      throw error;
    } finally {
      this.#spec = null;
    }
  }

  async #run({ description, files, spec, makeCurrent }, tell) {
    const found = spec ?? (await this.#step("spec", tell, () => this.#newSpec(description)));
    tell("spec", "done", spec ? `${spec.name} (${spec.id})` : found.name);
    const network = await this.#step("upload", tell, () => this.#upload(description, files, tell));
    await this.#step("deploy", tell, () => this.#deployed(network, tell));
    const version = await this.#step("version", tell, () =>
      this.#newVersion(found, network, description, makeCurrent, tell));
    this.#network = null;
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
    this.#spec = await api.post("recognition/specs", { json: { name, description, metadata, outputs } });
    return this.#spec;
  }

  async #upload({ name, description, metadata, framework, preprocessing, postprocessings }, files, tell) {
    const fields = { name, description, metadata, framework, preprocessing, postprocessings };
    const identity = JSON.stringify([fields, files.map((file) => [file.name, file.size, file.lastModified])]);
    if (this.#network?.identity !== identity) {
      if (this.#network) await this.#dropNetwork();
      const made = await createNetwork(fields, files, (fraction) => tell("upload", "current", null, fraction));
      this.#network = { identity, made };
    }
    tell("upload", "done", `network ${this.#network.made.id}`);
    return this.#network.made;
  }

  async #dropSpec(tell) {
    try {
      await api.delete(`recognition/specs/${this.#spec.id}`);
      tell("spec", "", "Not kept.");
    } catch {
      // What made the attempt fail is what counts.
    }
  }

  async #dropNetwork() {
    await api.delete(`networks/${this.#network.made.id}`);
    this.#network = null;
  }

  async #deployed(network, tell) {
    const task = await endedTask(
      network.task_id,
      { seen: () => tell("deploy", "current", "A worker loads the weights and runs an image through them.") },
    );
    if (task.status === "error") {
      await this.#dropNetwork();
      throw new RequestFailed(0, task.error);
    }
    const tensors = task.data.outputs.map(({ name, shape }) => `${name} ${shape.map((size) => size ?? "?").join("×")}`);
    tell("deploy", "done", `It gives ${tensors.join(", ")}.`);
  }

  async #newVersion(spec, network, { post_processings }, makeCurrent, tell) {
    const version = await api.post(
      "recognition/versions",
      { json: { spec_id: spec.id, network_id: network.id, post_processings } },
    );
    if (makeCurrent) await api.patch(`recognition/specs/${spec.id}`, { current_version_id: version.id });
    tell("version", "done", `version ${version.id}`);
    return version;
  }
}
