// The guided form: fields for the models that most people have. It makes the same description that model.json holds.

const NUMBERS = {
  imagenet: { pixel_scaling: 1, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  unit: { pixel_scaling: 1 },
  signed: { pixel_scaling: 1, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  bytes: { pixel_scaling: 255 },
};
const GRAY = {
  imagenet: { pixel_scaling: 1, mean: [0.449], std: [0.226] },
  signed: { pixel_scaling: 1, mean: [0.5], std: [0.5] },
};
const LAYOUTS = {
  torchvision: {
    direct_output: { boxes_tensor: "boxes", scores_tensor: "scores", classes_tensor: "labels" },
    normalize_wrt_tensor: "input_size",
  },
  direct: { direct_output: { boxes_tensor: "boxes", scores_tensor: "scores", classes_tensor: "classes" } },
  standard: { standard_output: { boxes_tensor: "boxes", scores_tensor: "scores" } },
};
const LABEL = /^(?:(\d+)\s*:)?\s*(.+)$/;

/** Return the labels that a text has, one on each line; torchvision's detectors keep 0 for the background. */
export function labelsIn(text, firstId) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean).map((line, index) => {
    const [, id, name] = LABEL.exec(line);
    return { id: id === undefined ? firstId + index : Number(id), name };
  });
}

/** Let `root` show only the fields that its kind of answer has. */
export function followKind(root) {
  root.addEventListener("change", () => {
    const kind = kindOf(root);
    for (const field of root.querySelectorAll("[data-for]")) field.hidden = !field.dataset.for.split(" ").includes(kind);
  });
}

/** Leave out what a specification that is there already says: the kind of answer, and the labels. */
export function followSpec(root, spec) {
  for (const field of root.querySelectorAll(".of-new-spec")) field.hidden = spec !== null;
  if (spec === null) return;
  const { roi, exclusive } = spec.outputs[0].labels;
  const kind = roi === "BBOX" ? "boxes" : exclusive ? "one" : "many";
  root.querySelector(`[name=kind][value=${kind}]`).checked = true;
  root.dispatchEvent(new Event("change"));
}

function kindOf(root) {
  return root.querySelector("[name=kind]:checked").value;
}

/** Return {preprocessing, outputs, post_processings}; the labels of `spec`, if there is one, are the outputs. */
export function described(root, spec) {
  const value = (id) => root.querySelector(`#${id}`).value.trim();
  const kind = kindOf(root);
  const channels = value("channels");
  const numbers = (channels === "L" && GRAY[value("numbers")]) || NUMBERS[value("numbers")];
  const image = {
    dimension_order: value("order"), resize_type: value("resize"), target_size: value("size").replace("×", "x"),
    color_channels: channels, ...numbers,
  };
  const firstId = kind === "boxes" && value("layout") === "torchvision" ? 1 : 0;
  const labels = spec ? spec.outputs[0].labels.labels : labelsIn(value("labels"), firstId);
  const roi = kind === "boxes" ? "BBOX" : "NONE";
  const thresholds = labels.map(() => Number(value("threshold")));
  return {
    preprocessing: { inputs: [{ tensor_name: "images", image }], precision: value("precision") },
    outputs: spec?.outputs ?? [{ labels: { labels, exclusive: kind !== "many", roi } }],
    post_processings: [
      roi === "BBOX"
        ? { detection: { ...LAYOUTS[value("layout")], thresholds } }
        : { classification: { output_tensor: value("tensor"), thresholds } },
    ],
  };
}
