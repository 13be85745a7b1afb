// What one reader says of one image, as a value that is never changed, only replaced:
// {decisions: {mark key: "accepted" | "rejected"}, drawn: [{id, finding, box}], complete}.

const EMPTY = Object.freeze({ decisions: {}, drawn: [], complete: false });
const STEPS = 100;

export function same(a, b) {
  return JSON.stringify(canonical(a)) === JSON.stringify(canonical(b));
}

function canonical(review) {
  return [Object.entries(review.decisions).sort(), review.drawn.map((one) => [one.finding, one.box]), review.complete];
}

// The same decision twice takes it back.
export function decide(review, key, decision) {
  const { [key]: before, ...others } = review.decisions;
  return { ...review, decisions: before === decision ? others : { ...others, [key]: decision } };
}

export function addBox(review, box) {
  return { ...review, drawn: [...review.drawn, box] };
}

export function changeBox(review, id, changes) {
  return { ...review, drawn: review.drawn.map((one) => (one.id === id ? { ...one, ...changes } : one)) };
}

export function removeBox(review, id) {
  return { ...review, drawn: review.drawn.filter((one) => one.id !== id) };
}

// What the service keeps, as a review. Marks accepted when another model had looked are boxes now.
export function fromSaved(saved, modelSha256) {
  if (!saved) return EMPTY;
  const current = saved.model_sha256 === modelSha256;
  const drawn = saved.drawn.map((one) => ({ ...one, id: newId() }));
  const decisions = {};
  for (const mark of saved.marks) {
    if (current) decisions[mark.key] = mark.decision;
    else if (mark.decision === "accepted") drawn.push({ id: newId(), finding: mark.finding, box: mark.box });
  }
  return { decisions, drawn, complete: saved.complete };
}

// crypto.randomUUID is missing where the page is served over plain HTTP from another machine.
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

// A review in the making: what is kept by the service, what is now, and the way back.
export class Draft {
  constructor(saved, modelSha256) {
    this.basedOn = saved ? saved.review_id : null;
    this.kept = fromSaved(saved, modelSha256);
    this.now = this.kept;
    this.past = [];
    this.future = [];
    this.pending = null;
  }

  get dirty() {
    return !same(this.now, this.kept);
  }

  change(review) {
    if (same(review, this.now)) return false;
    this.past = [...this.past, this.now].slice(-STEPS);
    this.future = [];
    this.now = review;
    this.pending = null;
    return true;
  }

  undo() {
    if (!this.past.length) return false;
    this.future.push(this.now);
    this.now = this.past.pop();
    this.pending = null;
    return true;
  }

  redo() {
    if (!this.future.length) return false;
    this.past.push(this.now);
    this.now = this.future.pop();
    this.pending = null;
    return true;
  }

  // What is sent; sent again it has the same id, so that it is kept once.
  toSend(reader, modelSha256) {
    this.pending ??= newId();
    return {
      review_id: this.pending,
      reader,
      model_sha256: modelSha256,
      based_on: this.basedOn,
      complete: this.now.complete,
      marks: Object.entries(this.now.decisions).map(([key, decision]) => ({ key, decision })),
      drawn: this.now.drawn.map(({ finding, box }) => ({ finding, box })),
    };
  }

  // Of what was sent, which may be older than what is now.
  saved(review, sent) {
    this.basedOn = review.review_id;
    this.kept = sent;
    this.pending = null;
  }
}
