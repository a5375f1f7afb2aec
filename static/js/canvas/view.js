// Where the image is on the screen: zoom, pan, fit, mirror and quarter turns, and the way between image and screen. No drawing.

const MIN_SCALE = 0.01;
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
    this.flipX = false;
    this.flipY = false;
    /** Quarter turns, clockwise. */
    this.turns = 0;
  }

  /** Screen pixels an image pixel, in x and y of the image. */
  get step() {
    return [this.scale * this.aspect[0], this.scale * this.aspect[1]];
  }

  get isSideways() {
    return this.turns % 2 === 1;
  }

  /** The image's directions on the screen, with the place of its corner: what `context.transform` takes. */
  get matrix() {
    const [sx, sy] = this.step;
    const [mx, my] = [this.flipX ? -sx : sx, this.flipY ? -sy : sy];
    const [cos, sin] = [[1, 0], [0, 1], [-1, 0], [0, -1]][this.turns];
    return [cos * mx, sin * mx, -sin * my, cos * my, this.left, this.top];
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
    const sides = [this.columns * this.aspect[0], this.rows * this.aspect[1]];
    const [across, down] = this.isSideways ? sides.reverse() : sides;
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

  /** Mirror or turn the view about what is at its middle; the image itself stays as it is. @param {"x"|"y"|"turn"} how */
  orient(how) {
    const centre = this.toImage(this.width / 2, this.height / 2);
    // A mirror is meant as it is seen: left and right of the screen.
    if (how === "turn") this.turns = (this.turns + 1) % 4;
    else if ((how === "x") !== this.isSideways) this.flipX = !this.flipX;
    else this.flipY = !this.flipY;
    if (this.isFitted) this.fit();
    else this.place(centre, this.width / 2, this.height / 2);
  }

  /** Bring a box of the image into sight where it is out of it. @param {number[]} box */
  show(box) {
    const [x0, y0, x1, y1] = box;
    const corners = [this.toScreen(x0, y0), this.toScreen(x1, y1)];
    const isSeen = corners.every(([x, y]) => x >= 0 && y >= 0 && x <= this.width && y <= this.height);
    if (isSeen) return;
    this.place([(x0 + x1) / 2, (y0 + y1) / 2], this.width / 2, this.height / 2);
    this.isFitted = false;
  }

  /** Put a point of the image at a place on the screen. */
  place([imageX, imageY], x, y) {
    const [a, b, c, d] = this.matrix;
    this.left = x - imageX * a - imageY * c;
    this.top = y - imageX * b - imageY * d;
  }

  /** @returns {[number, number]} */
  toImage(x, y) {
    const [a, b, c, d, left, top] = this.matrix;
    const [u, v, det] = [x - left, y - top, a * d - b * c];
    return [(d * u - c * v) / det, (a * v - b * u) / det];
  }

  /** @returns {[number, number]} */
  toScreen(x, y) {
    const [a, b, c, d, left, top] = this.matrix;
    return [a * x + c * y + left, b * x + d * y + top];
  }

  /** The nearest position inside the image. @returns {[number, number]} */
  clamp(x, y) {
    return [Math.min(Math.max(x, 0), this.columns), Math.min(Math.max(y, 0), this.rows)];
  }

  /** The part of the image that is on the screen, as [x0, y0, x1, y1] inside the image. */
  seen() {
    const corners = [this.toImage(0, 0), this.toImage(this.width, this.height)].map(([x, y]) => this.clamp(x, y));
    const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  }
}
