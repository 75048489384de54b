// Numbers as people read them.

const UNITS = ["bytes", "kB", "MB", "GB", "TB"];
const clock = new Intl.DateTimeFormat(
  undefined,
  { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false },
);
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const whole = new Intl.NumberFormat();
export const NOTHING = "–";

/** Return milliseconds as ms, s or min. */
export function shownMs(ms) {
  if (ms === null || ms === undefined) return NOTHING;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return shownSeconds(ms / 1000);
}

/** Return seconds as ms, s, min or h. */
export function shownSeconds(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  if (seconds < 1) return shownMs(seconds * 1000);
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

export function shownBytes(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  return `${(bytes / 1000 ** power).toFixed(power ? 1 : 0)} ${UNITS[power]}`;
}

export function shownCount(number) {
  return number === null || number === undefined ? NOTHING : whole.format(number);
}

/** Return a number with the digits that say something. */
export function shownNumber(number) {
  if (number === null || number === undefined) return NOTHING;
  return number >= 100 ? whole.format(Math.round(number)) : `${Number(number.toFixed(number >= 10 ? 1 : 2))}`;
}

export const shownTime = (date) => clock.format(new Date(date));
export const shownDate = (date) => day.format(new Date(date));
