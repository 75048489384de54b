// The request that was made, as text to be run elsewhere. The key is read from the environment, never written out.

import { address } from "../shared/client.js";

const shellWord = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const pythonText = (text) => JSON.stringify(text);

/** Return a shell command that sends the image, waits, and prints the finished task. */
export function asCurl(spec, item) {
  const source = item.isRemote ? item.source : `@"${item.name.replace(/(["\\])/g, "\\$1")}"`;
  const flag = item.isRemote ? "--form-string" : "-F";
  const crop = Object.entries(item.crop ?? {}).map(
    ([side, value]) => `  -F 'inputs[0]image.bbox.${side}=${value}' \\\n`
  ).join("");
  return `# RECOQ_KEY holds your API key
curl -sS \\
  ${shellWord(address(`${spec.path}/inference`))} \\
  -H "X-API-KEY: $RECOQ_KEY" \\
  -H 'Prefer: wait=60' \\
  ${flag} ${shellWord(`inputs[0]image.source=${source}`)} \\
${crop}  -F show_discarded=true
`;
}

/** Return a Python program that does the same with the public client. */
export function asPython(spec, item) {
  const id = spec.path.split("/").pop();
  const host = new URL(address(".."));
  const crop = item.crop ? `, bbox=${JSON.stringify(item.crop)}` : "";
  const image = item.isRemote ? pythonText(item.source) : `open(${pythonText(item.name)}, "rb")`;
  return `# pip install deepomatic-api; RECOQ_KEY holds your API key
import os

from deepomatic.api.client import Client
from deepomatic.api.inputs import ImageInput

client = Client(host=${pythonText(host.href.replace(/\/$/, ""))}, api_key=os.environ["RECOQ_KEY"])
spec = client.RecognitionSpec.retrieve(${spec.isPublic ? pythonText(id) : id})
answer = spec.inference(inputs=[ImageInput(${image}${crop})], show_discarded=True)
for output in answer["outputs"]:
    for found in output["labels"]["predicted"]:
        print(found["label_name"], round(found["score"], 2), found.get("roi", {}).get("bbox", ""))
`;
}
