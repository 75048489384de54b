// A block of text to be read and copied.

import { element } from "./elements.js";

const COPIED_MS = 1500;

async function copy(pre) {
  try {
    await navigator.clipboard.writeText(pre.textContent);
  } catch {
    getSelection().selectAllChildren(pre); // no clipboard without HTTPS: selected, it is one keystroke away
    return "Press Ctrl-C";
  }
  return "Copied";
}

/** Return the text in a block with a button that copies it. */
export function code(text, name) {
  const pre = element("pre", { tabindex: "0", role: "region", "aria-label": name }, text);
  const button = element("button", { type: "button", class: "quiet" }, "Copy");
  button.addEventListener("click", async () => {
    button.textContent = await copy(pre);
    setTimeout(() => (button.textContent = "Copy"), COPIED_MS);
  });
  return element("div", { class: "code" }, element("header", {}, element("span", { class: "hint" }, name), button), pre);
}
