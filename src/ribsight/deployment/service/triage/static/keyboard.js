// Which key does what: one table for the page and for its help.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// `act` is an object of functions, named below.
export function keyTable(act) {
  return [
    { keys: ["j", "ArrowDown"], shown: ["j", "↓"], says: "next image", run: act.next },
    { keys: ["k", "ArrowUp"], shown: ["k", "↑"], says: "previous image", run: act.previous },
    { keys: ["n"], says: "next mark", run: act.nextMark },
    { keys: ["p"], says: "previous mark", run: act.previousMark },
    { keys: ["a"], says: "accept the selected mark", run: act.accept },
    { keys: ["r"], says: "reject the selected mark", run: act.reject },
    { keys: ["d"], says: "draw a box: arrows, Enter, arrows, Enter", run: act.draw },
    { keys: ["g"], says: "finding of the box", run: act.nextFinding },
    { keys: ["Delete", "Backspace"], shown: ["Del"], says: "remove the selected box", run: act.remove },
    { keys: ["c"], says: "nothing missed, complete", run: act.complete },
    { keys: ["s"], says: "save", run: act.save },
    { keys: ["S"], shown: ["Shift", "s"], says: "save, next image", run: act.saveNext },
    { keys: ["u"], says: "undo", run: act.undo },
    { keys: ["U"], shown: ["Shift", "u"], says: "redo", run: act.redo },
    { keys: ["1", "2", "3", "4", "5"], shown: ["1", "…", "5"], says: "window presets", run: act.preset },
    { keys: ["[", "]"], says: "less, more contrast", run: act.contrast },
    { keys: [",", "."], says: "darker, brighter", run: act.brightness },
    { keys: ["i"], says: "invert", run: act.invert },
    { keys: ["+", "=", "-"], shown: ["+", "-"], says: "zoom", run: act.zoom },
    { keys: ["f"], says: "fit", run: act.fit },
    { keys: ["z"], says: "one to one", run: act.oneToOne },
    { keys: [], shown: ["Shift", "arrows"], says: "pan" },
    { keys: ["m"], says: "marks on, off", run: act.marks },
    { keys: ["b"], says: "marks below threshold", run: act.below },
    { keys: ["h"], says: "heat map: next finding, off", run: act.heat },
    { keys: ["w"], says: "worklist (narrow screens)", run: act.list },
    { keys: ["Escape"], shown: ["Esc"], says: "stop drawing, select nothing", run: act.escape },
    { keys: ["?"], says: "this help", run: act.help },
  ];
}

// Listen to the page. `act` also has arrow(dx, dy, event) -> whether it was taken, enter(), space(held).
export function listen(table, act) {
  const byKey = new Map(table.flatMap((one) => one.keys.map((key) => [key, one])));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape" && event.target.matches("select, input")) event.target.blur();
    // In a field its own keys are its own; a checkbox has only Space.
    if (event.target.matches("select, input:not([type=checkbox]), textarea")) return;
    if (event.key === " ") {
      if (!event.target.matches("button, input, [role=button]")) {
        act.space(true);
        event.preventDefault();
      }
      return;
    }
    if (ARROWS[event.key] && act.arrow(...ARROWS[event.key], event)) {
      event.preventDefault();
      return;
    }
    if (event.key === "Enter") {
      if (!event.target.matches("button, select, input, a") && act.enter(event)) event.preventDefault();
      return;
    }
    const found = byKey.get(event.key);
    if (!found || event.altKey) return;
    if (event.target.getAttribute("role") === "radio" && event.key.startsWith("Arrow")) return;
    event.preventDefault();
    found.run(event.key);
  });
  document.addEventListener("keyup", (event) => event.key === " " && act.space(false));
  window.addEventListener("blur", () => act.space(false));
}
