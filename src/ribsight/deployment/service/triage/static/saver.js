// Saving: once, even if the answer gets lost and it is sent again.

import * as api from "./api.js";

const AGAIN_AFTER = 4000; // ms

export class Saver {
  // `on` has saved(id, draft, review), failed(error), conflict(id, draft, theirs, modelSha256), say(words, kind).
  constructor(on) {
    this.on = on;
    this.busy = new Set();
    this.timer = null;
  }

  async save(id, draft, reader, modelSha256) {
    if (this.busy.has(id)) return false;
    this.busy.add(id);
    clearTimeout(this.timer);
    const sent = draft.now;
    try {
      const review = await api.saveReview(id, draft.toSend(reader, modelSha256));
      draft.saved(review, sent);
      this.on.say("saved", "good");
      this.on.saved(id, draft, review);
      return true;
    } catch (error) {
      this.busy.delete(id);
      if (error.status === 409 && error.body?.current) return this.on.conflict(id, draft, error.body.current, modelSha256);
      if (error.status === 0 || error.status === 503) {
        this.on.say(`not saved yet: ${error.message}; trying again`, "bad");
        this.timer = setTimeout(() => this.save(id, draft, reader, modelSha256), AGAIN_AFTER);
      } else {
        this.on.failed(error);
      }
      return false;
    } finally {
      this.busy.delete(id);
    }
  }
}
