// One image of the playground: where it comes from, what is asked about it, and what came back.

import { api } from "../shared/client.js";
import { cancelTask, endedTask, pause } from "../shared/tasks.js";

const MOST_PREDICTIONS = 200;
const PAUSE_SECONDS = 2;
const REFUSED_FOR_NOW = [429, 503];
const ONLY_INPUT = /^inputs\.0\.image(\.source)?: /; // where an error is, which goes without saying for one image

/** Dispatches `change` whenever its state changes: waiting, running, done or failed. */
export class ImageItem extends EventTarget {
  #run = null;

  /** `source` is a File, or the address of an image. */
  constructor(source) {
    super();
    this.source = source;
    this.isRemote = typeof source === "string";
    this.name = this.isRemote ? (new URL(source).pathname.split("/").pop() || source) : source.name || "pasted image";
    this.preview = this.isRemote ? source : URL.createObjectURL(source);
    this.size = null; // {width, height}, once the image was seen
    this.crop = null;
    this.reset();
  }

  reset() {
    Object.assign(this, { state: "waiting", task: null, error: null, roundTripMs: null });
  }

  get outputs() {
    return this.task?.data?.outputs ?? [];
  }

  /** Ask `spec` about the image; an earlier question that is still open is dropped. */
  async run(spec) {
    this.#run?.abort();
    const run = (this.#run = new AbortController());
    this.reset();
    this.#change("running");
    const started = performance.now();
    try {
      const { task_id: taskId } = await this.#submit(spec, run.signal);
      run.signal.addEventListener("abort", () => cancelTask(taskId));
      run.signal.throwIfAborted();
      this.task = await endedTask(taskId, { signal: run.signal });
      this.error = this.task.error?.replace(ONLY_INPUT, "") ?? null;
    } catch (error) {
      if (run.signal.aborted) return;
      this.error = error.message.replace(ONLY_INPUT, "");
    }
    this.#run = null;
    this.roundTripMs = performance.now() - started;
    this.#change(this.error === null ? "done" : "failed");
  }

  /** Drop the question that is open, if there is one. */
  stop() {
    if (this.state !== "running") return;
    this.#run?.abort();
    this.error = "Stopped.";
    this.#change("failed");
  }

  dispose() {
    this.#run?.abort();
    if (!this.isRemote) URL.revokeObjectURL(this.preview);
  }

  async #submit(spec, signal) {
    for (;;) {
      try {
        return await api.post(`${spec.path}/inference`, { form: this.#form(), signal });
      } catch (error) {
        if (!REFUSED_FOR_NOW.includes(error.status)) throw error;
        await pause((error.retryAfterSeconds ?? PAUSE_SECONDS) * 1000, signal);
      }
    }
  }

  #form() {
    const form = new FormData();
    form.append("inputs[0]image.source", this.source);
    for (const [side, value] of Object.entries(this.crop ?? {})) form.append(`inputs[0]image.bbox.${side}`, value);
    form.append("show_discarded", "true");
    form.append("max_predictions", MOST_PREDICTIONS);
    return form;
  }

  #change(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}
