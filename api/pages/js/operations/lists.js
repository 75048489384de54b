// Workers, networks and errors as the service tells them.

import { element } from "../shared/elements.js";
import { NOTHING, shownBytes, shownCount, shownNumber, shownSeconds, shownTime } from "../shared/formats.js";
import { level, table } from "../shared/table.js";

const JUST_NOW_SECONDS = 3; // workers write every second

const secondsSince = (date, now) => Math.max((new Date(now) - new Date(date)) / 1000, 0);
const shownSince = (date, now) => (
  secondsSince(date, now) < JUST_NOW_SECONDS ? "just now" : `${shownSeconds(secondsSince(date, now))} ago`
);
const sub = (...text) => element("span", { class: "sub" }, ...text);
const nameOf = (network) => network.name ?? "a deleted network";

const chipOf = (network) => element("span", { class: "chip" }, nameOf(network));

/** Return the workers that live. */
export function workers(told) {
  if (!told.workers.length) {
    return element("p", { class: "message bad" },
      "No worker is running, so tasks wait. Start one with ",
      element("code", {}, "recoq worker"),
      ".",
    );
  }
  return table("Workers", [
    {
      title: "Worker",
      cell: ({ worker, host, process_id: id, version, sandbox_missing: missing }) => [
        worker,
        sub(`${host}, process ${id}, version ${version}`),
        missing ? element("span", { class: "sub bad" }, `Not fully confined: ${missing}`) : "",
      ],
    },
    { title: "Device", cell: ({ device, device_name: name }) => [device, sub(name)] },
    { title: "Busy", cell: ({ busy_share: share }) => [`${Math.round(share * 100)} %`, level(share, "Busy")] },
    {
      title: "Memory",
      cell: ({ memory_used_bytes: used, memory_total_bytes: total }) => [
        `${shownBytes(used)} of ${shownBytes(total)}`,
        level(total ? used / total : 0, "Memory"),
      ],
    },
    {
      title: "Loaded networks",
      cell: ({ networks, cache_used_bytes: used, cache_budget_bytes: most }) => [
        networks.length ? element("span", { class: "chips" }, networks.map(chipOf)) : NOTHING,
        sub(`${shownBytes(used)} of ${shownBytes(most)}`),
      ],
    },
    { title: "Tasks", amount: true, cell: ({ tasks, threads }) => `${tasks} of ${threads}` },
    {
      title: "Images",
      amount: true,
      cell: ({ inputs, batches }) => [shownCount(inputs), sub(`in ${shownCount(batches)} batches`)],
    },
    {
      title: "Running for",
      amount: true,
      cell: ({ date_started: date }) => shownSeconds(secondsSince(date, told.date)),
    },
    { title: "Seen", amount: true, cell: ({ date_seen: date }) => shownSince(date, told.date) },
  ], told.workers);
}

/** Return what each network did. */
export function networks(told) {
  if (!told.networks.length) return element("p", { class: "calm" }, "No network was asked in this time.");
  return table("Networks", [
    {
      title: "Network",
      cell: ({ network }) => [
        nameOf(network),
        sub(network.account ? `of ${network.account}` : "for everyone", ` · ${network.id ?? NOTHING}`),
      ],
    },
    {
      title: "Waiting",
      amount: true,
      cell: ({ pending, oldest_seconds: age }) => [shownCount(pending), pending > 0 && sub(`for ${shownSeconds(age)}`)],
    },
    { title: "Accepted", amount: true, cell: ({ accepted }) => shownCount(accepted) },
    { title: "Succeeded", amount: true, cell: ({ succeeded }) => shownCount(succeeded) },
    {
      title: "Failed",
      amount: true,
      cell: ({ failed }) => element("span", { class: failed ? "is-bad" : null }, shownCount(failed)),
    },
    {
      title: "Batches",
      amount: true,
      cell: ({ batches, mean_batch_size: size, max_batch_size: most, batch_reason: reason }) => [
        shownCount(batches),
        batches > 0 && sub(`of ${shownNumber(size)}`),
        most === 1 && element("span", { class: "sub", title: reason }, "one image at a time"),
      ],
    },
    {
      title: "Loads",
      amount: true,
      cell: ({ loads }) => [shownCount(loads), loads > 0 && sub(`${shownNumber(loads / told.minutes)} a minute`)],
    },
  ], told.networks);
}

/** Return the recent errors, grouped by their sentence. */
export function errors(told) {
  if (!told.errors.length) return element("p", { class: "calm" }, "None.");
  return element("ul", { class: "error-groups" }, told.errors.map((group) =>
    element("li", {},
      element("span", { class: "times" }, `${shownCount(group.count)}×`),
      element("p", {}, group.sentence),
      element("time", { datetime: group.date_seen }, `last at ${shownTime(group.date_seen)}`),
      element("p", { class: "hint" },
        `${nameOf(group.network)}${group.account ? `, asked by ${group.account}` : ""}, task ${group.task_id}`,
      ))));
}

/** Return what the task ledger has lost of late; nothing, as a rule. */
export function losses(told) {
  return element("div", {}, told.ledger_losses.map(({ kind, date, last_id: last, tasks }) =>
    element("p", { class: "message bad" },
      `The task ledger lost ${kind === "emptied" ? "all" : "some"} tasks with IDs up to ${last}`,
      tasks === null ? "" : `, ${shownCount(tasks)} of them not ended`,
      ", noticed at ",
      element("time", { datetime: date }, new Date(date).toLocaleString()),
      ".",
    )));
}
