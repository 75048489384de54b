// Requests to the API of the service that sent this page.

import { session } from "./session.js";

const ROOT = new URL("../../../v0.7/", import.meta.url);
const LARGEST_PAGE = 1000;

/** A request that the service refused, or that did not reach it. The message is a sentence for people. */
export class RequestFailed extends Error {
  constructor(status, message, fields = {}, retryAfterSeconds = null) {
    super(message);
    this.status = status;
    this.fields = fields;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Return the full address of a path of the API. */
export function address(path) {
  return new URL(path, ROOT).href;
}

/** Return the failure that a response of the API tells. */
export function failureOf(status, text, retryAfter) {
  let told = {};
  try {
    told = JSON.parse(text);
  } catch {
    // Not from Recoq: a proxy between, most likely.
  }
  const sentence = told.error ?? `The server answered with the status ${status}, and did not say why.`;
  return new RequestFailed(status, sentence, told.errors, Number(retryAfter) || null);
}

async function send(method, path, { json, form, headers, signal } = {}) {
  const body = json === undefined ? form : JSON.stringify(json);
  const type = json === undefined ? {} : { "Content-Type": "application/json" };
  let response;
  try {
    response = await fetch(address(path), {
      method, body, signal, credentials: "omit", headers: { "X-API-KEY": session.key ?? "", ...type, ...headers },
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new RequestFailed(0, "The service cannot be reached. Is it running, and are you connected?");
  }
  const text = await response.text();
  if (response.ok) return text ? JSON.parse(text) : null;
  if (response.status === 401) document.dispatchEvent(new CustomEvent("signed-out"));
  throw failureOf(response.status, text, response.headers.get("Retry-After"));
}

export const api = {
  get: (path, options) => send("GET", path, options),
  post: (path, options) => send("POST", path, options),
  patch: (path, json) => send("PATCH", path, { json }),
  delete: (path) => send("DELETE", path),
};

/** Return all elements of a paginated list. */
export async function everything(path) {
  const found = [];
  for (;;) {
    const page = await api.get(`${path}?limit=${LARGEST_PAGE}&offset=${found.length}`);
    found.push(...page.results);
    if (!page.results.length || found.length >= page.count) return found;
  }
}
