// Uploading a model: brings the files, the description and the specification together, and starts the deployment.

import { api, everything } from "../shared/client.js";
import { byId, element } from "../shared/elements.js";
import { open } from "../shared/frame.js";
import { tabs } from "../shared/tabs.js";
import { Deployment } from "./deployment.js";
import { Files } from "./files.js";
import { described, followKind, followSpec } from "./guided.js";
import { clearProblems, showProblems } from "./problems.js";
import { Progress } from "./progress.js";

const FRAMEWORK = "pytorch-2.x";
const GUIDED = "Guided";
const WRITTEN = "model.json";

const deployment = new Deployment();
const files = new Files(readDescription);
const guided = byId("guided").content.firstElementChild;
const written = element(
  "textarea",
  { class: "json", spellcheck: "false", "aria-label": "model.json", "data-path": "" },
);
const ways = tabs("Ways to describe the model", { [GUIDED]: () => guided, [WRITTEN]: showWritten });
let edited = false; // model.json was given or typed in, so the fields no longer say what is in it
let chosenSpec = null;

followKind(guided);
written.addEventListener("input", () => (edited = true));
byId("ways").append(ways.node);
byId("form").addEventListener("submit", submit);
open("upload", { current: "Upload", start, needs: ["admin"] });

async function start() {
  const target = byId("target");
  const specs = await everything("recognition/specs");
  target.replaceChildren(
    element("option", { value: "" }, "A new one, with the labels above"),
    element("optgroup", { label: "A new version of" }, specs.map(({ id, name }) =>
      element("option", { value: id }, `${name} (${id})`))),
  );
  target.addEventListener("change", async () => {
    clearProblems();
    const id = target.value;
    let spec = null;
    try {
      if (id) spec = await api.get(`recognition/specs/${id}`);
    } catch (error) {
      target.value = "";
      showProblems({ target: [error.message] });
    }
    if (spec && target.value !== id) return; // another one was chosen meanwhile
    chosenSpec = spec;
    byId("switch-row").hidden = chosenSpec === null;
    followSpec(guided, chosenSpec);
  });
}

/** Take over a model.json that came with the files. */
async function readDescription(isNew) {
  clearProblems();
  const text = isNew ? await files.description() : null;
  if (text === null) return;
  written.value = text;
  edited = true;
  ways.show(WRITTEN);
  try {
    const { name, description } = JSON.parse(text);
    byId("name").value = name ?? "";
    byId("about").value = description ?? "";
  } catch {
    // Said when it is sent.
  }
}

function showWritten() {
  if (!edited) written.value = JSON.stringify(described(guided, chosenSpec), null, 2);
  return written;
}

/** Return the description that the form makes.
 *
 * Throws an error with `fields` if something that every model has is missing. */
function description() {
  const fields = {};
  const name = byId("name").value.trim();
  if (!name) fields.name = ["Give the model a name."];
  if (files.problem) fields.files = [files.problem];
  let told = {};
  try {
    told = ways.current === WRITTEN ? JSON.parse(written.value) : described(guided, chosenSpec);
  } catch (error) {
    fields[""] = [`model.json is not valid JSON: ${error.message}`];
  }
  if (!told.outputs?.[0]?.labels?.labels?.length && !fields[""]) fields.outputs = ["Give at least one label."];
  if (Object.keys(fields).length) throw Object.assign(new Error("Something is missing."), { fields });
  const { download: _, ...rest } = told; // where `recoq publish` fetches weights: these are here
  return {
    framework: FRAMEWORK,
    metadata: {},
    postprocessings: [],
    ...rest,
    name,
    description: byId("about").value.trim(),
  };
}

/** Return `fields` with what the service says of files by their names gathered under the files. */
function besideFiles(fields) {
  const names = files.ofNetwork.map(({ name }) => name);
  const about = Object.entries(fields).filter(([path]) => names.includes(path));
  const others = Object.entries(fields).filter(([path]) => !names.includes(path));
  const told = about.map(([name, messages]) => `${name}: ${messages.join(" ")}`);
  return Object.fromEntries(told.length ? [...others, ["files", told]] : others);
}

async function submit(event) {
  event.preventDefault();
  clearProblems();
  let plan;
  try {
    plan = {
      description: description(),
      files: files.ofNetwork,
      spec: chosenSpec,
      makeCurrent: chosenSpec !== null && byId("switch").checked,
    };
  } catch (error) {
    return showProblems(error.fields);
  }
  const progress = new Progress();
  byId("deploy").disabled = true;
  try {
    progress.succeed(await deployment.run(plan, (...told) => progress.tell(...told)));
  } catch (error) {
    progress.fail(error);
    showProblems(besideFiles(error.fields ?? {}), { focus: false });
  }
  byId("deploy").disabled = false;
}
