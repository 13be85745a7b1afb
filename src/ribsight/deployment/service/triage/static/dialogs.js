// The dialogs of the page.

import * as api from "./api.js";
import { make, when } from "./words.js";

const $ = (id) => document.getElementById(id);

function closed(dialog) {
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

// Ask for the reader's name, and for a token if the service wants one; "" if there is no answer.
export async function askReader(name, error) {
  const dialog = $("who");
  if (dialog.open) return "";
  $("who-name").value = name;
  $("who-token-row").hidden = !error;
  $("who-error").textContent = error;
  dialog.returnValue = "";
  dialog.showModal();
  (error ? $("who-token") : $("who-name")).focus();
  if ((await closed(dialog)) !== "ok") return "";
  if (error) api.setToken($("who-token").value.trim());
  $("who-token").value = "";
  return $("who-name").value.trim();
}

export function showHelp(table) {
  const rows = table.map(({ keys, shown, says }) =>
    make("div", {}, make("span", {}, ...(shown ?? keys).flatMap((one, index) => [index ? " " : "", make("kbd", {}, one)])), says),
  );
  $("help-keys").replaceChildren(...rows);
  $("help").showModal();
}

// Returns "mine", "theirs" or "".
export async function askConflict(theirs) {
  const dialog = $("conflict");
  $("conflict-said").textContent =
    `A review of this image was saved under your name at ${when(theirs.saved)}, in another window or on another machine. ` +
    "Both are kept; the last one counts.";
  dialog.returnValue = "";
  dialog.showModal();
  return closed(dialog);
}
