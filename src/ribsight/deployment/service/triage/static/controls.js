// Buttons, lists and boxes of the page: what they do, and what they show.

import * as api from "./api.js";
import { heatPicture } from "./heat.js";
import { consequence, drawAbout, drawMarks } from "./panel.js";
import { counted, make, spoken, when } from "./words.js";

const $ = (id) => document.getElementById(id);

export class Controls {
  constructor(desk, viewer) {
    this.desk = desk;
    this.viewer = viewer;
    this.presetNames = [...$("preset").options].map((one) => one.value);
    this.asked = null;
    this.#listen();
  }

  start(setting) {
    this.setting = setting;
    for (const name of setting.findings) {
      $("draw-finding").append(make("option", { value: name }, spoken(name)));
      $("heat-finding").append(make("option", { value: name }, spoken(name)));
    }
    const { name, sha256 } = setting.model;
    $("model").textContent = `${name}, ${sha256.slice(0, 12)}, ribsight ${setting.version}`;
  }

  #listen() {
    const { desk, viewer } = this;
    const click = (id, run) => $(id).addEventListener("click", run);
    click("toggle-list", () => this.toggleList());
    click("invert", () => viewer.setInverted(!viewer.inverted));
    click("fit", () => viewer.fit());
    click("one-to-one", () => viewer.oneToOne());
    click("zoom-in", () => viewer.zoomIn());
    click("zoom-out", () => viewer.zoomOut());
    click("save", () => desk.save());
    click("save-next", () => desk.saveAndNext());
    click("undo", () => desk.undo());
    $("preset").addEventListener("change", () => viewer.setPreset($("preset").value));
    $("complete").addEventListener("change", () => desk.setComplete($("complete").checked));
    $("heat-finding").addEventListener("change", () => this.loadHeat());
    $("heat-opacity").addEventListener("input", () => viewer.setHeat(viewer.heat, this.opacity));
    $("draw-finding").addEventListener("change", () => {
      if (desk.selectedBox) desk.changeBox(desk.selected, { finding: this.drawAs });
      this.drawTools();
    });
    const tools = [...document.querySelectorAll("button[data-tool]")];
    for (const [index, button] of tools.entries()) {
      button.addEventListener("click", () => viewer.setTool(button.dataset.tool));
      button.addEventListener("keydown", (event) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!by) return;
        const next = tools[(index + by + tools.length) % tools.length];
        viewer.setTool(next.dataset.tool);
        next.focus();
      });
    }
  }

  get opacity() {
    return Number($("heat-opacity").value);
  }

  get drawAs() {
    return $("draw-finding").value;
  }

  cycle(id) {
    const select = $(id);
    select.selectedIndex = (select.selectedIndex + 1) % select.length;
    select.dispatchEvent(new Event("change", { bubbles: true }));
  }

  toggleList(wanted) {
    const isOpen = document.body.classList.toggle("list-open", wanted);
    $("toggle-list").setAttribute("aria-expanded", String(isOpen));
    if (isOpen) $("rows").focus();
  }

  // --- what the page says

  say(words, kind = "", insteadOf = null) {
    if (insteadOf !== null && $("status").textContent !== insteadOf) return;
    $("status").textContent = words;
    $("status").className = kind;
  }

  // `isOver`: there is a film, which it must not hide.
  notice(title, reason, isOver = false) {
    $("notice").classList.toggle("over", isOver);
    $("notice").replaceChildren(make("b", {}, title), make("span", {}, reason));
    $("notice").hidden = !title;
  }

  draw() {
    const { desk, viewer } = this;
    $("viewer").dataset.shown = desk.current?.isOpen ? desk.current.id : "";
    viewer.setMarks(desk.visible());
    const { detail, draft } = desk.current ?? {};
    if (detail) this.#drawPanel(detail);
    for (const id of ["save", "save-next", "complete"]) $(id).disabled = !desk.canReview;
    $("undo").disabled = !draft?.past.length;
    $("complete").checked = Boolean(draft?.now.complete);
    $("save").classList.toggle("dirty", Boolean(draft?.dirty));
    $("consequence").textContent = desk.canReview ? consequence(draft.now, desk.marks()) : "";
    $("history").textContent = detail ? historyWords(detail.history) : "";
    if (desk.selectedBox) $("draw-finding").value = desk.selectedBox.finding;
    this.drawTools();
  }

  #drawPanel(detail) {
    const { desk, setting } = this;
    drawAbout($("about"), detail, setting);
    const focused = document.activeElement;
    const key = focused?.closest(".mark-row")?.dataset.key;
    drawMarks($("mark-list"), detail, desk.listed(), setting, {
      decide: (mark, decision) => desk.decide(mark, decision),
      remove: (mark) => desk.remove(mark),
      goTo: (mark) => desk.select(mark, { reveal: true }),
    });
    // The list was made anew: whoever was in it stays where they were.
    const row = key && $("mark-list").querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (row) row.querySelector(`[class="${focused.className}"]`)?.focus();
  }

  drawTools() {
    const { viewer } = this;
    for (const button of document.querySelectorAll("button[data-tool]")) {
      const isOn = button.dataset.tool === viewer.tool;
      button.setAttribute("aria-checked", String(isOn));
      button.tabIndex = isOn ? 0 : -1;
    }
    $("preset").value = viewer.preset;
    $("invert").setAttribute("aria-pressed", String(viewer.inverted));
    this.readout(null);
  }

  // Zoom, window, and the stored pixel under the pointer.
  readout(at) {
    const { viewer, setting } = this;
    const parts = [];
    if (viewer.film) {
      const { low, high } = viewer.window;
      parts.push(`zoom ${viewer.view.zoom.toFixed(2)}`);
      parts.push(`window ${Math.round((low + high) / 2)} / ${Math.round(high - low)}`);
      const point = at ?? viewer.pencil?.at;
      if (point) parts.push(`x ${Math.floor(point[0])}  y ${Math.floor(point[1])}`);
      if (viewer.pencil) parts.push(viewer.pencil.from ? "Enter: opposite corner" : "Enter: first corner");
      else if (viewer.tool === "draw") parts.push(`drawing ${setting.short[this.drawAs]}`);
    }
    $("readout").textContent = parts.join("     ");
  }

  // --- heat map

  async loadHeat() {
    const { desk, viewer } = this;
    const finding = $("heat-finding").value;
    const of = desk.current;
    this.asked?.abort();
    viewer.setHeat(null, this.opacity);
    if (!finding || !of?.film || of.detail.state !== "done") return;
    const asked = (this.asked = new AbortController());
    try {
      const picture = await heatPicture(await api.heat(of.id, finding, asked.signal));
      if (desk.current === of && this.asked === asked) viewer.setHeat(picture, this.opacity);
    } catch (error) {
      if (error.name !== "AbortError") this.say(`no heat map: ${error.message}`, "bad");
    }
  }
}

function historyWords(history) {
  if (!history.length) return "Not read by you yet.";
  return `Saved ${counted(history.length, "time")}, last ${when(history.at(-1).saved)}.`;
}
