// What the reader does: one image is open, one mark may be selected, and a review is in the making.

import { askConflict } from "./dialogs.js";
import { Films } from "./films.js";
import { marksOf } from "./marks.js";
import { addBox, changeBox, decide, Draft, newId, removeBox } from "./review.js";
import { Saver } from "./saver.js";
import { STATES } from "./words.js";

const AHEAD = 2;
const SLOW = 250; // ms, after which the reader is told that it loads

export class Desk {
  // `on` has draw(), say(words, kind), notice(title, reason, isOver), failed(error), opened(),
  // drawAs() -> finding.
  constructor(viewer, list, on) {
    Object.assign(this, { viewer, list, on });
    this.setting = null;
    this.reader = "";
    this.layers = null;
    this.current = null; // {id, detail, film, draft, isOpen: whether it is shown}
    this.selected = null; // key of a mark
    this.hidden = false;
    this.films = new Films();
    this.drafts = new Map();
    this.saver = new Saver({
      saved: (...given) => this.#saved(...given),
      conflict: (...given) => this.#conflict(...given),
      failed: on.failed,
      say: on.say,
    });
    list.unsaved = (id) => Boolean(this.drafts.get(id)?.dirty);
  }

  get draft() {
    return this.current?.draft ?? null;
  }

  get canReview() {
    return Boolean(this.draft) && this.current.detail.state === "done";
  }

  get isUnsaved() {
    return [...this.drafts.values()].some((one) => one.dirty);
  }

  // --- opening an image

  async open(id) {
    if (!id) return;
    const { viewer, on, films, reader } = this;
    this.list.select(id);
    on.notice("", "");
    on.say("");
    const wanted = (this.current = { id, detail: null, film: null, draft: null });
    this.selected = null;
    on.draw();
    const slow = setTimeout(() => this.current === wanted && on.say("loading"), SLOW);
    try {
      const { detail, film } = await films.fresh(id, reader);
      if (this.current !== wanted) return;
      if (!this.drafts.has(id)) this.drafts.set(id, new Draft(detail.review, detail.model_sha256));
      Object.assign(wanted, { detail, film, draft: this.drafts.get(id) });
      viewer.show(film, film && { width: detail.width, height: detail.height });
      if (detail.state !== "done") on.notice(STATES[detail.state], detail.reason, Boolean(film));
      else if (!film) on.notice("No pixels", detail.reason);
      on.opened();
      for (const next of this.list.following(AHEAD)) films.ahead(next, reader);
    } catch (error) {
      if (this.current !== wanted || error.name === "AbortError") return;
      viewer.show(null, null);
      on.notice("This image cannot be shown", error.message);
      on.failed(error);
    } finally {
      clearTimeout(slow);
      if (this.current === wanted) {
        wanted.isOpen = true;
        on.say("", "", "loading");
        on.draw();
      }
    }
  }

  // --- marks

  marks() {
    const { detail, draft } = this.current ?? {};
    return detail && draft ? marksOf(detail, draft.now, this.setting, this.selected) : [];
  }

  // Those of the layers that are on.
  listed() {
    return this.marks().filter((one) => one.selected || this.layers.shows(one));
  }

  visible() {
    return this.hidden ? [] : this.listed();
  }

  get selectedMark() {
    return this.marks().find((one) => one.selected) ?? null;
  }

  get selectedBox() {
    const mark = this.selectedMark;
    return mark?.drawn ? mark : null;
  }

  select(key, { reveal = false } = {}) {
    if (key === this.selected && !reveal) return;
    this.selected = key;
    if (reveal && this.selectedMark) this.viewer.reveal(this.selectedMark.box);
    this.on.draw();
  }

  stepMark(by) {
    const shown = this.visible();
    if (!shown.length) {
      this.on.say("no mark is shown");
      return;
    }
    const place = shown.findIndex((one) => one.selected);
    const first = by > 0 ? 0 : shown.length - 1;
    const next = place < 0 ? first : (place + by + shown.length) % shown.length;
    this.select(shown[next].key, { reveal: true });
  }

  toggleMarks() {
    this.hidden = !this.hidden;
    this.on.say(this.hidden ? "marks are hidden (m)" : "");
    this.on.draw();
  }

  // --- the review

  change(review) {
    if (this.canReview && this.draft.change(review)) this.on.draw();
  }

  undo() {
    if (this.draft?.undo()) this.on.draw();
  }

  redo() {
    if (this.draft?.redo()) this.on.draw();
  }

  decide(key, decision) {
    const mark = this.marks().find((one) => one.key === key);
    if (!mark) {
      this.on.say("select a mark first: n, p, or click");
    } else if (mark.drawn) {
      if (decision === "rejected") this.remove(key);
    } else {
      this.selected = key;
      this.change(decide(this.draft.now, key, decision));
    }
  }

  remove(key) {
    if (this.selected === key) this.selected = null;
    this.change(removeBox(this.draft.now, key));
  }

  drawn(box) {
    this.viewer.setTool("window");
    if (!this.canReview) {
      this.on.say("only a processed image can be reviewed", "bad");
      return;
    }
    const one = { id: newId(), finding: this.on.drawAs(), box };
    this.selected = one.id;
    this.change(addBox(this.draft.now, one));
  }

  // Give a drawn box another place or another finding.
  changeBox(key, changes) {
    const [x0, y0, x1, y1] = changes.box ?? [0, 0, 1, 1];
    if (x1 > x0 && y1 > y0) this.change(changeBox(this.draft.now, key, changes));
  }

  setComplete(complete) {
    this.change({ ...this.draft.now, complete });
  }

  // --- saving

  async save() {
    if (!this.canReview) {
      this.on.say("only a processed image can be reviewed", "bad");
      return false;
    }
    return this.saver.save(this.current.id, this.draft, this.reader, this.current.detail.model_sha256);
  }

  async saveAndNext() {
    if (await this.save()) await this.list.step(1);
  }

  #saved(id, draft, review) {
    this.films.forget(id, this.reader);
    this.list.mark(id, { read: true, complete: review.complete });
    if (this.current?.id === id && this.current.detail) {
      this.current.detail.history.push(review);
      this.on.draw();
    }
  }

  async #conflict(id, draft, theirs, modelSha256) {
    const answer = await askConflict(theirs);
    if (answer === "mine") {
      draft.basedOn = theirs.review_id;
      return this.saver.save(id, draft, this.reader, modelSha256);
    }
    if (answer === "theirs") {
      this.drafts.delete(id);
      this.films.forget(id, this.reader);
      if (this.current?.id === id) await this.open(id);
    }
    return false;
  }
}
