// Tabs as the ARIA authoring practices describe them: arrows move between them, one panel is shown.

import { element } from "./elements.js";

/** Return tabs; `panels` maps names to functions that return a panel's content when it is shown. */
export function tabs(label, panels, chosen = Object.keys(panels)[0]) {
  const names = Object.keys(panels);
  const panel = element("div", { role: "tabpanel", tabindex: "0", class: "tab-panel" });
  const buttons = names.map((name) =>
    element("button", { type: "button", role: "tab", onclick: () => show(name) }, name),
  );
  const list = element("div", { class: "tabs", role: "tablist", "aria-label": label, onkeydown: move }, buttons);
  let current = chosen;

  function show(name) {
    current = name;
    buttons.forEach((button, index) => {
      button.setAttribute("aria-selected", names[index] === name);
      button.tabIndex = names[index] === name ? 0 : -1;
    });
    panel.setAttribute("aria-label", name);
    panel.replaceChildren(panels[name]());
  }

  function move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (names.indexOf(current) + step + names.length) % names.length;
    show(names[next]);
    buttons[next].focus();
  }

  show(chosen);
  return {
    node: element("div", {}, list, panel),
    show,
    refresh: () => show(current),
    get current() {
      return current;
    },
  };
}
