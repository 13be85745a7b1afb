// What the keys of `keyboard.js` do on this page.

const FAR = { shift: 40, plain: 8, alt: 1 }; // CSS pixels an arrow moves the cross of drawing
const PAN = 60;

export function actions({ desk, viewer, list, controls, help }) {
  const contrast = (by) => viewer.dragWindow(viewer.window, by * viewer.size.width, 0);
  const brightness = (by) => viewer.dragWindow(viewer.window, 0, by * viewer.size.height);
  return {
    next: () => list.step(1),
    previous: () => list.step(-1),
    nextMark: () => desk.stepMark(1),
    previousMark: () => desk.stepMark(-1),
    accept: () => desk.decide(desk.selected, "accepted"),
    reject: () => desk.decide(desk.selected, "rejected"),
    draw: () => (viewer.pencil ? viewer.setTool("window") : viewer.startPencil()),
    nextFinding: () => controls.cycle("draw-finding"),
    remove: () => desk.selectedBox && desk.remove(desk.selected),
    complete: () => desk.canReview && desk.setComplete(!desk.draft.now.complete),
    save: () => desk.save(),
    saveNext: () => desk.saveAndNext(),
    undo: () => desk.undo(),
    redo: () => desk.redo(),
    preset: (key) => viewer.setPreset(controls.presetNames[Number(key) - 1]),
    contrast: (key) => contrast(key === "[" ? 0.07 : -0.07),
    brightness: (key) => brightness(key === "," ? 0.04 : -0.04),
    invert: () => viewer.setInverted(!viewer.inverted),
    zoom: (key) => (key === "-" ? viewer.zoomOut() : viewer.zoomIn()),
    fit: () => viewer.fit(),
    oneToOne: () => viewer.oneToOne(),
    marks: () => desk.toggleMarks(),
    below: () => desk.layers.toggleBelow(),
    heat: () => controls.cycle("heat-finding"),
    list: () => controls.toggleList(),
    escape: () => (viewer.tool === "draw" ? viewer.setTool("window") : desk.select(null)),
    help,
  };
}

// Arrows move the cross of drawing; with Alt a drawn box, with Alt and Shift its far corner; with
// Shift the film. Returns whether one of these was meant.
export function arrow({ desk, viewer }, dx, dy, event) {
  if (viewer.pencil) {
    const far = event.shiftKey ? FAR.shift : event.altKey ? FAR.alt : FAR.plain;
    viewer.movePencil(dx * far, dy * far);
    return true;
  }
  if (event.altKey && desk.selectedBox) {
    const by = Math.max(1 / viewer.view.zoom, 0.01);
    const { key, box } = desk.selectedBox;
    desk.changeBox(key, { box: moved(box, dx * by, dy * by, event.shiftKey, viewer.image) });
    return true;
  }
  if (event.shiftKey) viewer.pan(-PAN * dx, -PAN * dy);
  return event.shiftKey;
}

// The whole box, or only its far corner, moved within the image.
export function moved([x0, y0, x1, y1], dx, dy, cornerOnly, { width, height }) {
  const within = (value, least, most) => Math.min(Math.max(value, least), most);
  const round = (value) => Math.round(value * 100) / 100;
  if (cornerOnly) {
    return [x0, y0, round(within(x1 + dx, x0 + 1, width)), round(within(y1 + dy, y0 + 1, height))];
  }
  const x = within(x0 + dx, 0, width - (x1 - x0));
  const y = within(y0 + dy, 0, height - (y1 - y0));
  return [x, y, x + x1 - x0, y + y1 - y0].map(round);
}
