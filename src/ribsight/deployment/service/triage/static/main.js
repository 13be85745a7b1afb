// The page: joins the worklist, the viewer, the desk, the controls and the keyboard.

import * as api from "./api.js";
import { Controls } from "./controls.js";
import { Desk } from "./desk.js";
import { askReader, showHelp } from "./dialogs.js";
import { keyTable, listen } from "./keyboard.js";
import { actions, arrow } from "./keys.js";
import { Layers } from "./panel.js";
import { watchPointer } from "./pointer.js";
import { shortNames } from "./words.js";
import { Viewer } from "./viewer.js";
import { Worklist } from "./worklist.js";

const $ = (id) => document.getElementById(id);
const READER = "ribsight-reader";
const COLOURS = 4;

const viewer = new Viewer(
  { stage: $("stage"), canvas: $("film"), svg: $("drawings") },
  { select: (key) => desk.select(key), drawn: (box) => desk.drawn(box), changed: () => controls.drawTools() },
);
const list = new Worklist(
  { form: $("filters"), rows: $("rows"), empty: $("empty"), back: $("page-back"), onward: $("page-on"), said: $("page-said") },
  { open, failed, changed: () => ($("position").textContent = list.place) },
);
const desk = new Desk(viewer, list, {
  draw: () => controls.draw(),
  say: (...words) => controls.say(...words),
  notice: (...words) => controls.notice(...words),
  failed,
  opened: () => controls.loadHeat(),
  drawAs: () => controls.drawAs,
});
const controls = new Controls(desk, viewer);
const keys = keyTable(actions({ desk, viewer, list, controls, help: () => showHelp(keys) }));
let spaceHeld = false;

function open(id) {
  if (!id) return undefined;
  controls.toggleList(false);
  history.replaceState(null, "", `#${id}`);
  return desk.open(id);
}

function failed(error) {
  if (error.status === 401) signIn(error.message);
  else controls.say(error.message, "bad");
}

async function signIn(error) {
  const name = await askReader(localStorage.getItem(READER) ?? "", error);
  if (!name) return;
  localStorage.setItem(READER, name);
  location.reload();
}

listen(keys, {
  arrow: (dx, dy, event) => arrow({ desk, viewer }, dx, dy, event),
  enter: () => {
    const isDrawing = Boolean(viewer.pencil);
    viewer.setCorner();
    return isDrawing;
  },
  space: (held) => (spaceHeld = held),
});
watchPointer(viewer, {
  select: (key) => desk.select(key),
  drawn: (box) => desk.drawn(box),
  // While a corner is dragged the box follows; what is kept is where it was let go.
  reshape: (key, box, isDone) => {
    if (isDone) desk.changeBox(key, { box });
    else viewer.setMarks(desk.visible().map((one) => (one.key === key ? { ...one, box } : one)));
  },
  hover: (at) => controls.readout(at),
  spaceHeld: () => spaceHeld,
});
$("help-button").addEventListener("click", () => showHelp(keys));
$("reader").addEventListener("click", () => signIn(""));
window.addEventListener("beforeunload", (event) => desk.isUnsaved && event.preventDefault());
window.addEventListener("hashchange", () => {
  const id = location.hash.slice(1);
  if (id !== desk.current?.id) open(id);
});

async function start() {
  viewer.stage.dataset.tool = viewer.tool;
  let said;
  try {
    said = await api.about();
  } catch (error) {
    failed(error);
    return;
  }
  const kinds = said.findings.map((one, index) => [one, `finding-${index % COLOURS}`]);
  const setting = { ...said, short: shortNames(said.findings), kinds: Object.fromEntries(kinds) };
  const reader = localStorage.getItem(READER) ?? "";
  if (!reader) {
    await signIn("");
    return;
  }
  $("reader").textContent = reader;
  Object.assign(desk, { setting, reader, layers: new Layers($("layers"), setting, () => controls.draw()) });
  controls.start(setting);
  list.start(setting, reader);
  if (!(await list.load(0))) return;
  const wanted = location.hash.slice(1);
  await open(/^[0-9a-f]{64}$/.test(wanted) ? wanted : list.items[0]?.id);
}

start();
