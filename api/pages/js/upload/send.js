// Sends the files of a network. Through XMLHttpRequest, because fetch does not tell how much has been sent.

import { address, failureOf, RequestFailed } from "../shared/client.js";
import { session } from "../shared/session.js";

/** Return the network that the service made; `onsent` is told the fraction that has been sent. */
export function createNetwork(fields, files, onsent) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(
    name,
    typeof value === "string" ? value : JSON.stringify(value),
  );
  for (const file of files) form.append(file.name, file, file.name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address("networks"));
    request.setRequestHeader("X-API-KEY", session.key);
    request.upload.addEventListener("progress", ({ loaded, total }) => onsent(loaded / total));
    request.addEventListener("error", () =>
      reject(new RequestFailed(0, "The connection broke while the files were sent.")));
    request.addEventListener("load", () => {
      if (request.status === 201) resolve(JSON.parse(request.responseText));
      else reject(failureOf(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    });
    request.send(form);
  });
}
