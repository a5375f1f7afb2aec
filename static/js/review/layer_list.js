// The buttons of the layers under the picture: each with its colour and dash, its name, and the key that toggles it.
import { COLOURS, strokeOf } from "../pages/outlines.js";

export const colourOf = (index) => COLOURS[index % COLOURS.length];

/** The slice of a medium that most of these layers marked; none where nothing is marked on it. */
export function mostMarkedSlice(layers, medium) {
  const counts = new Map();
  const count = (z) => counts.set(z, (counts.get(z) ?? 0) + 1);
  for (const shape of layers.flatMap((layer) => layer.shapes)) {
    if (shape.medium !== medium) continue;
    new Set(shape.regions.map((region) => region.z)).forEach(count);
    if (shape.mask) for (let z = shape.mask.z[0]; z < shape.mask.z[1]; z += 1) count(z);
  }
  const best = Math.max(...counts.values());
  const marked = [...counts].filter(([, n]) => n === best).map(([z]) => z).sort((a, b) => a - b);
  return marked[Math.floor(marked.length / 2)];
}

/** Fill `list` with a button for each layer; `toggle` gets the key of the one that was pressed. */
export function listLayers(list, layers, toggle) {
  list.replaceChildren(...layers.map((layer, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.dataset.layer = layer.key;
    // The label as it comes out is drawn in the colours of its classes.
    const classes = layer.kind === "result" ? [...new Set(layer.shapes.map((shape) => shape.colour))].slice(0, 4) : undefined;
    button.append(strokeOf(index, classes), layer.name);
    if (layer.kind !== "reader" && layer.kind !== "result") button.append(Object.assign(document.createElement("span"), { className: "muted", textContent: layer.kind }));
    if (index < 9) button.append(Object.assign(document.createElement("kbd"), { textContent: `⇧${index + 1}` }));
    button.addEventListener("click", () => toggle(layer.key));
    const line = document.createElement("li");
    line.append(button);
    return line;
  }));
  if (!layers.length) list.textContent = "Nobody has marked anything yet.";
}
