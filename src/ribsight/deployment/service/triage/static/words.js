// How things are called on the page.

const SIDES = { left: "left", right: "right", both: "both sides" };
const CERTAINTY = { confident: "confident", doubtful: "doubtful" };
export const STATES = { done: "processed", waiting: "waiting", not_processed: "not processed" };

export const spoken = (finding) => finding.replaceAll("_", " ");

// Names without the last words that all of several have: rib, clavicle.
export function shortNames(findings) {
  const words = findings.map((one) => one.split("_"));
  let shared = 0;
  const most = Math.min(...words.map((one) => one.length)) - 1;
  while (findings.length > 1 && shared < most && words.every((one) => one.at(-1 - shared) === words[0].at(-1 - shared))) shared += 1;
  return Object.fromEntries(findings.map((one, index) => [one, words[index].slice(0, words[index].length - shared).join(" ")]));
}

// A probability if there is one, else the raw score, which is none.
export function amount({ probability, score }) {
  if (probability == null) return score.toFixed(2);
  const percent = 100 * probability;
  if (percent > 0 && percent < 1) return "<1 %";
  return `${Math.round(percent)} %`;
}

export const certaintyWord = (certainty) => CERTAINTY[certainty] ?? "below threshold";

export const sideWord = (side) => SIDES[side] ?? "";

// 07:51 of today, else 11-27 07:51, with the year if it is another.
export function when(iso) {
  if (!iso) return "";
  const date = new Date(iso);
  const now = new Date();
  const two = (number) => String(number).padStart(2, "0");
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (date.toDateString() === now.toDateString()) return time;
  const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return date.getFullYear() === now.getFullYear() ? `${day} ${time}` : `${date.getFullYear()}-${day} ${time}`;
}

export const counted = (count, word, plural = `${word}s`) => `${count} ${count === 1 ? word : plural}`;

// An element with attributes, properties of which are set by name, and children.
export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((one) => one != null));
  return made;
}

export const sign = (certainty, kind) =>
  make("span", { class: `sign ${certainty ?? "below"} ${kind}`, "aria-hidden": "true" });
