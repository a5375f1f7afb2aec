// Which series and plane hang in which pane: by a project's protocol or somebody's own arrangement, else by themselves. Pure.
//
// A rule names a series by a part of its name ("flair", "MR") or by its number in the item ("#2"). What no series fits is
// left out, so one protocol serves items with unlike series. Not here: storing one (projects.hanging), panes (canvas/plane.js).
import { areLinked, PLANES } from "./planes.js";

/**
 * @typedef {{series: string, plane: string, window?: number[] | null}} Rule
 * @typedef {{layout: "one"|"two"|"stacked"|"four", panes: Rule[]}} Protocol
 * @typedef {{medium: any, plane: any, window?: number[] | null}} Hung
 */

/** How many panes each layout has. */
const PANES = { one: 1, two: 2, stacked: 2, four: 3 };

/** What people call a series: its description, else its kind and number. */
export function nameOfSeries({ metadata, ordinal }) {
  if (metadata?.series_description) return metadata.series_description;
  return metadata?.modality ? `${metadata.modality} ${ordinal + 1}` : `Picture ${ordinal + 1}`;
}

/** The volumes that can hang beside one, itself first. */
export function companionsOf(medium, media) {
  return [medium, ...media.filter((other) => other !== medium && medium.size[0] > 1 && areLinked(medium, other))];
}

/** Whether a rule means this series. */
function means({ series }, medium) {
  if (/^#\d+$/.test(series.trim())) return medium.ordinal + 1 === Number(series.trim().slice(1));
  return nameOfSeries(medium).toLowerCase().includes(series.trim().toLowerCase());
}

/**
 * What a protocol hangs of an item; null where no rule fits any of its series, or the item has no volume.
 * @param {Protocol | null} protocol @param {any[]} media @returns {{layout: "one"|"two"|"stacked"|"four", hung: Hung[]} | null}
 */
export function hungBy(protocol, media) {
  if (!protocol) return null;
  /** @type {Hung[]} */
  const hung = [];
  for (const rule of protocol.panes.slice(0, PANES[protocol.layout])) {
    const plane = PLANES.find((name) => name === rule.plane) ?? "axial";
    const isFree = (medium) => !hung.some((entry) => entry.medium === medium && entry.plane === plane);
    const medium = media.find((one) => one.size[0] > 1 && means(rule, one) && isFree(one) && (!hung.length || areLinked(hung[0].medium, one)));
    if (medium) hung.push({ medium, plane, window: rule.window ?? null });
  }
  if (!hung.length) return null;
  const layout = hung.length >= PANES[protocol.layout] ? protocol.layout : hung.length === 2 ? "two" : "one";
  return { layout, hung };
}

/** What hangs by itself: two series in one plane side by side; three planes of one. @param {any} first @param {string} plane @returns {Hung[]} */
export function hungAlone(layout, first, plane, media) {
  const [, second] = companionsOf(first, media);
  if (PANES[layout] === 2 && second) return [first, second].map((medium) => ({ medium, plane }));
  const planes = layout === "four" ? PLANES : [plane, ...PLANES.filter((name) => name !== plane)];
  return planes.map((name) => ({ medium: first, plane: name }));
}
