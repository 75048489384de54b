// The ways in which images come: chosen, dropped, pasted, by address, or drawn for a first try.

import { byId } from "../shared/elements.js";
import { drawShapes } from "./sample.js";

/** Call `add` with a list of Files and addresses whenever a person brings some. */
export function takeImages(add) {
  const drop = byId("drop");
  const files = byId("files");
  byId("choose").addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    add([...files.files]);
    files.value = "";
  });
  byId("sample").addEventListener("click", async () => add([await drawShapes()]));
  takeDropped(drop, add);
  takePasted(add);
  takeAddresses(add);
}

function takeDropped(drop, add) {
  let depth = 0; // of elements that the pointer has entered: leaving a child is not leaving the page
  const show = (change) => {
    depth = Math.max(0, depth + change);
    drop.classList.toggle("over", depth > 0);
  };
  document.addEventListener("dragenter", () => show(1));
  document.addEventListener("dragleave", () => show(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    show(-depth);
    const dropped = [...event.dataTransfer.files];
    const address = event.dataTransfer.getData("text/uri-list").split("\n")[0].trim();
    if (dropped.length) add(dropped);
    else if (isAddress(address)) add([address]);
  });
}

function takePasted(add) {
  document.addEventListener("paste", (event) => {
    if (event.target.closest?.("input, textarea")) return;
    const pasted = [...event.clipboardData.files];
    const text = event.clipboardData.getData("text").trim();
    if (pasted.length) add(pasted);
    else if (isAddress(text)) add([text]);
  });
}

function takeAddresses(add) {
  const url = byId("url");
  byId("by-url").addEventListener("submit", (event) => {
    event.preventDefault();
    const address = url.value.trim();
    const problem = isAddress(address) ? "" : "Give the full address of an image, beginning with http:// or https://.";
    byId("url-problem").textContent = problem;
    url.setAttribute("aria-invalid", Boolean(problem));
    if (problem) return url.focus();
    url.value = "";
    add([address]);
  });
}

function isAddress(text) {
  return /^https?:\/\/\S+$/i.test(text) && URL.canParse(text);
}
