// Signing in and out, and the bar at the top. A page calls `open` once; its content starts when a key is known.

import { api } from "./client.js";
import { byId, element } from "./elements.js";
import { session } from "./session.js";

const root = new URL("../../../", import.meta.url);
const PRINTABLE = /^[\x21-\x7e]+$/;
const PAGES = [
  { name: "Playground", path: "./", roles: ["admin", "read"] },
  { name: "Upload", path: "upload", roles: ["admin"] },
  { name: "Operations", path: "ops", roles: ["admin"] },
  { name: "API", path: "v0.7/docs", roles: ["admin", "read"] },
];

/** Show the page's content (the element `id`) to whoever has a key, after `start` has filled it. */
export async function open(id, { current, start, needs = ["admin", "read"] }) {
  const page = { content: byId(id), current, start, needs };
  document.addEventListener("signed-out", () => {
    if (!page.content.hidden) signOut();
  });
  if (session.key === null) return askForKey(page);
  try {
    await enter(page);
  } catch (error) {
    if (error.status === 401) session.key = null; // else it is still good when the service is back
    askForKey(page, error.message);
  }
}

async function enter(page) {
  session.account = await api.get("accounts/me");
  drawBar(page);
  byId("sign-in").hidden = true;
  if (!page.needs.includes(session.account.role)) return refuse(page);
  page.content.hidden = document.querySelector(".skip").hidden = false;
  await page.start();
}

function signOut() {
  session.key = null;
  location.reload();
}

function drawBar({ current }) {
  const links = PAGES.filter(({ roles }) => !session.account || roles.includes(session.account.role)).map(
    ({ name, path }) => element("a", { href: new URL(path, root), "aria-current": name === current && "page" }, name),
  );
  byId("top").replaceChildren(
    element("a", { class: "name", href: root, "aria-label": "Recoq" }, // a phone shows the mark alone
      element("img", { src: new URL("../../mark.svg", import.meta.url), alt: "" }),
      element("span", {}, "Recoq"),
    ),
    ...(session.account ? [element("nav", { "aria-label": "Pages" }, links), who()] : []),
  );
}

function who() {
  const { name, role } = session.account;
  return element(
    "div", { class: "who" },
    element("span", { class: "account" }, name, " ", element("span", { class: "chip" }, role)),
    element("button", { type: "button", class: "quiet", id: "sign-out", onclick: signOut }, "Sign out"),
  );
}

function refuse(page) {
  byId("sign-in").hidden = false;
  byId("sign-in").replaceChildren(
    element("div", { class: "panel" },
      element("h1", {}, `${page.current} takes an admin key`),
      element("p", {},
        `You are signed in with a key of the role ${session.account.role}. Sign out, and in again with an admin key.`,
      )),
  );
}

function askForKey(page, problem = "") {
  drawBar(page);
  const key = element(
    "input",
    {
      id: "key",
      type: "password",
      autocomplete: "off",
      spellcheck: "false",
      required: true,
      placeholder: "rq_…",
      "aria-describedby": "key-problem",
    },
  );
  const told = element("p", { id: "key-problem", class: "problem", role: "alert" }, problem);
  const button = element("button", { class: "primary" }, "Sign in");
  const form = element("form", { novalidate: true },
    element("div", {}, element("label", { for: "key" }, "API key"), key, told),
    button,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!PRINTABLE.test(key.value.trim())) {
      told.textContent = "Paste an API key: it begins with rq_ and has neither spaces nor accents.";
      return key.focus();
    }
    session.key = key.value.trim();
    button.disabled = true;
    told.textContent = "";
    try {
      await enter(page);
    } catch (error) {
      session.key = null;
      told.textContent = error.message;
      key.setAttribute("aria-invalid", "true");
      key.focus();
    }
    button.disabled = false;
  });
  page.content.hidden = true;
  byId("sign-in").hidden = false;
  byId("sign-in").replaceChildren(
    element("div", { class: "panel" },
      element("img", { class: "mark", src: new URL("../../mark.svg", import.meta.url), alt: "" }),
      element("div", {},
        element("h1", {}, "Sign in to Recoq"),
        element("p", { class: "hint" },
          "With an API key of this service. It stays in this tab and is forgotten when you close it.",
        ),
      ),
      form,
      element("p", { class: "hint" },
        "No key yet? ",
        element("code", {}, "recoq up"),
        " prints one when it starts; ",
        element("code", {}, "recoq keys create"),
        " makes more.",
      ),
    ),
  );
  key.focus();
}
