// The specifications that the key may use, and the picker that shows them.

import { api, everything } from "../shared/client.js";
import { element } from "../shared/elements.js";

export const TONES = 8;
const LABELS_SHOWN = 24;

const KINDS = {
  "BBOX": "finds objects and their boxes",
  "NONE exclusive": "says which one of its labels fits the image",
  "NONE": "says which of its labels fit the image",
};

/** A specification with its outputs, and where it is asked. */
export class Spec {
  constructor(path, fields) {
    Object.assign(this, fields);
    this.path = path;
    this.labels = this.outputs.map(({ labels }) => new Map(labels.labels.map(({ id }, index) => [id, index])));
  }

  get isPublic() {
    return this.path.startsWith("recognition/public/");
  }

  get isRunnable() {
    return this.isPublic || this.current_version_id !== null;
  }

  /** Return the class of the colour that a label of an output has everywhere. */
  tone(outputIndex, labelId) {
    return `tone-${this.labels[outputIndex].get(labelId) % TONES}`;
  }
}

/** Return [{group, choices: [{path, name}]}]: the account's own specifications first. */
export async function listSpecs() {
  const [own, shared] = await Promise.all([everything("recognition/specs"), everything("recognition/public")]);
  const choices = (specs, root) => specs.map(({ id, name }) => ({ path: `${root}/${id}`, name }));
  return [
    { group: "Yours", choices: choices(own, "recognition/specs") },
    { group: "For everyone", choices: choices(shared, "recognition/public") },
  ].filter((each) => each.choices.length);
}

export async function retrieveSpec(path) {
  return new Spec(path, await api.get(path));
}

/** Fill the `<select>` with the groups that `listSpecs` returned. */
export function fillPicker(select, groups) {
  select.replaceChildren(
    ...groups.map(({ group, choices }) =>
      element("optgroup", { label: group }, choices.map(({ path, name }) => element("option", { value: path }, name))),
    ),
  );
}

/** Return what people want to know of a specification before they use it. */
export function describeSpec(spec) {
  return spec.outputs.map(({ labels: { labels, exclusive, roi } }, index) =>
    element("div", {},
      index === 0 && spec.description && element("p", { class: "hint" }, withCode(spec.description)),
      element("p", { class: "hint kind" }, kindOf(spec, roi, exclusive)),
      element("ul", { class: "chips", "aria-label": "Labels" },
        labels.slice(0, LABELS_SHOWN).map(({ id, name }) =>
          element("li", { class: `chip ${spec.tone(index, id)}` }, element("span", { class: "dot" }), name)),
        labels.length > LABELS_SHOWN && element("li", { class: "chip" }, `and ${labels.length - LABELS_SHOWN} more`)),
    ),
  ).concat(spec.isRunnable ? [] : [element("p", { class: "message bad" },
    "It has no current version yet, so it cannot be asked.",
  )]);
}

/** Return a text with what stands between backticks as code. */
function withCode(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

function kindOf(spec, roi, exclusive) {
  const version = spec.isPublic ? "" : `, with version ${spec.current_version_id ?? "none"}`;
  return `It ${KINDS[roi === "NONE" && exclusive ? "NONE exclusive" : roi]}${version}.`;
}
