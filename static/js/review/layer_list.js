// The buttons of the layers under the picture: each with its colour and dash, its name, and the key that toggles it.
import { COLOURS, strokeOf } from "../pages/outlines.js";

export const colourOf = (index) => COLOURS[index % COLOURS.length];

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
