// Tables: columns that say how a row is shown in them.

import { element } from "./elements.js";

/** Return a table. A column is {title, cell(row), amount}; `amount` columns hold numbers and are set to the right. */
export function table(caption, columns, rows) {
  return element("table", {},
    element("caption", { class: "visually-hidden" }, caption),
    element("thead", {}, element("tr", {}, columns.map(({ title, amount }) =>
      element("th", { scope: "col", class: amount && "amount" }, title)))),
    element("tbody", {}, rows.map((row) =>
      element("tr", {}, columns.map(({ cell, amount }) => element("td", { class: amount && "amount" }, cell(row)))))));
}

/** Return a bar that is filled to `share`, from 0 to 1, and of another colour when that is high. */
export function level(share, name) {
  const fill = element("span");
  fill.style.width = `${Math.min(share, 1) * 100}%`;
  return element(
    "span",
    {
      class: `level ${share > 0.9 ? "high" : ""}`,
      role: "meter",
      "aria-label": name,
      "aria-valuemin": "0",
      "aria-valuemax": "1",
      "aria-valuenow": Math.min(share, 1).toFixed(2),
    },
    fill,
  );
}
