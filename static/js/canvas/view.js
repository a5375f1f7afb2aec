// Where the image is on the screen: zoom, pan, fit, and the way between image and screen coordinates. No drawing.

const MIN_SCALE = 0.02;
const MAX_SCALE = 64;

export class View {
  /** @param {number} columns @param {number} rows of the image @param {[number, number]} [aspect] size of a pixel, x and y */
  constructor(columns, rows, aspect = [1, 1]) {
    this.columns = columns;
    this.rows = rows;
    this.aspect = aspect;
    this.width = 1;
    this.height = 1;
    this.scale = 1;
    this.left = 0;
    this.top = 0;
    this.isFitted = true;
  }

  /** Screen pixels an image pixel, in x and y. */
  get step() {
    return [this.scale * this.aspect[0], this.scale * this.aspect[1]];
  }

  resize(width, height) {
    const centre = this.toImage(this.width / 2, this.height / 2);
    this.width = width;
    this.height = height;
    if (this.isFitted) this.fit();
    else this.place(centre, width / 2, height / 2);
  }

  /** Show all of the image. */
  fit() {
    const margin = 24;
    const [across, down] = [this.columns * this.aspect[0], this.rows * this.aspect[1]];
    this.scale = Math.max(MIN_SCALE, Math.min((this.width - margin) / across, (this.height - margin) / down, MAX_SCALE));
    this.place([this.columns / 2, this.rows / 2], this.width / 2, this.height / 2);
    this.isFitted = true;
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const under = this.toImage(x, y);
    this.scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, this.scale * factor));
    this.place(under, x, y);
    this.isFitted = false;
  }

  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.isFitted = false;
  }

  /** Bring a box of the image into sight where it is out of it. @param {number[]} box */
  show(box) {
    const [x0, y0, x1, y1] = box;
    const [[left, top], [right, bottom]] = [this.toScreen(x0, y0), this.toScreen(x1, y1)];
    if (left >= 0 && top >= 0 && right <= this.width && bottom <= this.height) return;
    this.place([(x0 + x1) / 2, (y0 + y1) / 2], this.width / 2, this.height / 2);
    this.isFitted = false;
  }

  /** Put a point of the image at a place on the screen. */
  place([imageX, imageY], x, y) {
    const [sx, sy] = this.step;
    this.left = x - imageX * sx;
    this.top = y - imageY * sy;
  }

  /** @returns {[number, number]} */
  toImage(x, y) {
    const [sx, sy] = this.step;
    return [(x - this.left) / sx, (y - this.top) / sy];
  }

  /** @returns {[number, number]} */
  toScreen(x, y) {
    const [sx, sy] = this.step;
    return [this.left + x * sx, this.top + y * sy];
  }

  /** The nearest position inside the image. @returns {[number, number]} */
  clamp(x, y) {
    return [Math.min(Math.max(x, 0), this.columns), Math.min(Math.max(y, 0), this.rows)];
  }
}
