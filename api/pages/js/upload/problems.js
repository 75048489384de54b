// Says what is wrong beside the field that it is wrong in, by the path that the service or the form gives.

import { element } from "../shared/elements.js";

export function clearProblems() {
  for (const field of document.querySelectorAll("[data-path]")) field.removeAttribute("aria-invalid");
  for (const place of document.querySelectorAll("[data-problem]")) place.textContent = "";
  for (const told of document.querySelectorAll(".field-problem")) told.remove();
}

/** Show {path: [messages]}; what belongs to no visible field is left to the summary. Focuses the first of them. */
export function showProblems(fields, { focus = true } = {}) {
  const wrong = Object.entries(fields).map(([path, messages]) => show(path, messages.join(" "))).filter(Boolean);
  if (focus) wrong[0]?.focus();
}

function show(path, message) {
  const place = document.querySelector(`[data-problem="${CSS.escape(path)}"]`);
  if (place) {
    place.textContent = message;
    return null;
  }
  const field = fieldOf(path);
  if (!field) return null;
  field.setAttribute("aria-invalid", "true");
  field.after(element("p", { class: "problem field-problem", role: "alert" }, message));
  return field;
}

/** Return the visible field for a path: the one with the longest path that it begins with. */
function fieldOf(path) {
  const fields = [...document.querySelectorAll("[data-path]")].filter((field) => field.checkVisibility());
  const matching = fields.flatMap((field) =>
    field.dataset.path.split(" ").filter(
      (own) => own === "" || `${path}.`.startsWith(`${own}.`)
    ).map((own) => ({ field, length: own.length })));
  return matching.sort((a, b) => b.length - a.length)[0]?.field;
}
