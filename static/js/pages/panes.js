// The picture once for each shown layer, side by side under one view: where the panes lie. Arithmetic only, draws nothing.

/**
 * The panes for `count` pictures in a canvas, as `[x, y, width, height]`: the columns that leave each picture largest.
 * @param {number} count
 * @param {number} width of the canvas
 * @param {number} height of the canvas
 * @param {number} ratio width to height of the picture
 * @returns {[number, number, number, number][]}
 */
export function panesOf(count, width, height, ratio) {
  const n = Math.max(count, 1);
  const room = (columns) => Math.min(width / columns / ratio, height / Math.ceil(n / columns));
  const choices = Array.from({ length: n }, (_, index) => index + 1);
  const columns = choices.reduce((best, other) => (room(other) > room(best) ? other : best));
  const [across, down] = [width / columns, height / Math.ceil(n / columns)];
  return choices.map((_, index) => [(index % columns) * across, Math.floor(index / columns) * down, across, down]);
}

/**
 * A place of the canvas as a place of the pane that it lies in.
 * @param {[number, number, number, number][]} panes
 * @param {[number, number]} place
 * @returns {[number, number]}
 */
export function inItsPane(panes, [x, y]) {
  const [left, top] = panes.find(([px, py, w, h]) => x >= px && x < px + w && y >= py && y < py + h) ?? panes[0];
  return [x - left, y - top];
}
