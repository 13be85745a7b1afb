// The film on its canvas: window, zoom, pan, heat map; and where the marks lie over it.

import { boxBetween, fit, panned, showing, toScreen, toStored, zoomAt } from "./geometry.js";
import { Overlay } from "./overlay.js";
import { dragged, histogram, paint, presets } from "./window.js";

const STEP = 1.25;
const SHARP_FROM = 6; // CSS pixels a sent pixel: from here on pixels are shown as squares

export class Viewer {
  // `on` has select(key), drawn(box), changed(): something that the page shows has changed.
  constructor({ stage, canvas, svg }, on) {
    this.stage = stage;
    this.canvas = canvas;
    this.on = on;
    this.overlay = new Overlay(svg, on.select);
    this.tool = "window";
    this.film = null;
    this.image = null;
    this.view = { zoom: 1, x: 0, y: 0 };
    this.fitted = true;
    this.window = { low: 0, high: 65535 };
    this.preset = "default";
    this.inverted = false;
    this.heat = null;
    this.opacity = 0.5;
    this.pencil = null; // drawing by keyboard: {at, from}
    this.grey = new OffscreenCanvas(1, 1);
    new ResizeObserver(() => this.#resized()).observe(stage);
  }

  get size() {
    return { width: this.stage.clientWidth, height: this.stage.clientHeight };
  }

  // `image` is {width, height} in stored pixels, `film` what was sent of it.
  show(film, image) {
    this.film = film;
    this.image = image;
    this.heat = null;
    this.pencil = null;
    this.overlay.grow(this.view, null);
    this.overlay.point(this.view, null);
    if (film) {
      film.counts ??= histogram(film.samples);
      this.presets = presets(film.counts, film.window);
      if (this.preset === "own") this.preset = "default";
      this.window = this.presets[this.preset];
      this.grey = new OffscreenCanvas(film.width, film.height);
      this.#paint();
      this.fitted = true;
      this.view = fit(image, this.size);
    }
    this.#draw();
    this.on.changed();
  }

  setPreset(name) {
    if (!this.film) return;
    this.preset = name;
    this.setWindow(this.presets[name], name);
  }

  setWindow(window, preset = "own") {
    if (!this.film) return;
    this.window = window;
    this.preset = preset;
    this.#paint();
    this.redraw();
    this.on.changed();
  }

  dragWindow(start, right, down) {
    this.setWindow(dragged(start, right / this.size.width, down / this.size.height));
  }

  setInverted(inverted) {
    this.inverted = inverted;
    if (this.film) this.#paint();
    this.redraw();
    this.on.changed();
  }

  setHeat(picture, opacity) {
    this.heat = picture;
    this.opacity = opacity;
    this.redraw();
  }

  setMarks(marks) {
    this.overlay.set(marks);
    this.overlay.place(this.view);
  }

  setTool(tool) {
    this.tool = tool;
    this.stage.dataset.tool = tool;
    if (tool !== "draw") this.#drop();
    this.on.changed();
  }

  fit() {
    if (!this.image) return;
    this.fitted = true;
    this.#look(fit(this.image, this.size));
  }

  // One stored pixel on one pixel of the screen, around the middle of what is seen.
  oneToOne() {
    this.zoom(1 / (window.devicePixelRatio * this.view.zoom));
  }

  zoom(factor, point = [this.size.width / 2, this.size.height / 2]) {
    if (!this.image) return;
    this.fitted = false;
    this.#look(zoomAt(this.view, factor, point, this.image, this.size));
  }

  zoomIn() { this.zoom(STEP); }

  zoomOut() { this.zoom(1 / STEP); }

  pan(dx, dy) {
    if (!this.image) return;
    this.fitted = false;
    this.#look(panned(this.view, dx, dy, this.image, this.size));
  }

  // Bring a box into sight.
  reveal(box) {
    const view = showing(this.view, box, this.image, this.size);
    if (view !== this.view) {
      this.fitted = false;
      this.#look(view);
    }
  }

  storedAt(point) {
    return toStored(this.view, point);
  }

  // Show the box that is being drawn; null when it is done.
  grow(a, b) {
    this.overlay.grow(this.view, a && boxBetween(a, b, this.image));
  }

  // --- drawing by keyboard: a cross is moved, Enter sets a corner and then its opposite.

  startPencil() {
    if (!this.film) return;
    this.setTool("draw");
    const { width, height } = this.size;
    const at = toStored(this.view, [width / 2, height / 2]);
    this.pencil = { at: this.#inside(at), from: null };
    this.#drawPencil();
    this.on.changed();
  }

  movePencil(dx, dy) {
    if (!this.pencil) return;
    const [x, y] = toScreen(this.view, this.pencil.at);
    this.pencil.at = this.#inside(toStored(this.view, [x + dx, y + dy]));
    this.#drawPencil();
    this.on.changed();
  }

  setCorner() {
    if (!this.pencil) return;
    const { at, from } = this.pencil;
    if (!from) {
      this.pencil.from = at;
      this.#drawPencil();
      this.on.changed();
      return;
    }
    this.#drop();
    this.on.drawn(boxBetween(from, at, this.image));
  }

  #inside([x, y]) {
    const cut = (value, most) => Math.min(Math.max(value, 0), most);
    return [cut(x, this.image.width), cut(y, this.image.height)];
  }

  #drawPencil() {
    this.overlay.point(this.view, this.pencil?.at);
    if (this.pencil?.from) this.grow(this.pencil.from, this.pencil.at);
  }

  #drop() {
    this.pencil = null;
    this.overlay.point(this.view, null);
    this.overlay.grow(this.view, null);
  }

  // --- painting

  #look(view) {
    this.view = view;
    this.redraw();
    this.on.changed();
  }

  #resized() {
    if (this.fitted && this.image) this.view = fit(this.image, this.size);
    this.#draw();
    this.on.changed();
  }

  #paint() {
    const { width, height, samples } = this.film;
    const context = this.grey.getContext("2d");
    this.pixels = this.pixels?.width === width && this.pixels.height === height ? this.pixels : new ImageData(width, height);
    paint(samples, new Uint32Array(this.pixels.data.buffer), this.window, this.inverted);
    context.putImageData(this.pixels, 0, 0);
  }

  // Once a frame is enough.
  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.#draw();
    });
  }

  #draw() {
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = this.size;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
    }
    const context = this.canvas.getContext("2d", { alpha: false });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, w, h);
    if (this.film && this.image) {
      const { zoom, x, y } = this.view;
      context.setTransform(zoom * ratio, 0, 0, zoom * ratio, x * ratio, y * ratio);
      context.imageSmoothingQuality = "high";
      context.imageSmoothingEnabled = zoom * (this.image.width / this.film.width) < SHARP_FROM;
      context.drawImage(this.grey, 0, 0, this.image.width, this.image.height);
      if (this.heat) {
        context.imageSmoothingEnabled = true;
        context.globalAlpha = this.opacity;
        context.drawImage(this.heat, 0, 0, this.image.width, this.image.height);
        context.globalAlpha = 1;
      }
    }
    this.overlay.place(this.view);
    this.#drawPencil();
  }
}
