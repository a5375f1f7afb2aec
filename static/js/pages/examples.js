// The example that is about to be added to the instructions, as labelers will see it: picture, marker and caption while they are chosen.

const form = document.getElementById("example-form");
const preview = document.getElementById("example-preview");
const [picture] = preview.getElementsByTagName("img");
const unseen = document.getElementById("example-unseen");
const field = (name) => /** @type {any} */ (form.elements.namedItem(name));

/** A browser shows only some kinds of pictures; of others it is said that they are shown later. */
function showPicture() {
  const [file] = field("picture").files;
  URL.revokeObjectURL(picture.src);
  picture.hidden = !file;
  unseen.hidden = true;
  if (file) picture.src = URL.createObjectURL(file);
  else picture.removeAttribute("src");
}

function show() {
  const [file] = field("picture").files;
  const code = field("item").value.trim();
  preview.hidden = !file && !code;
  if (!file) unseen.hidden = !code;
  const marker = field("marker").value;
  for (const word of preview.querySelectorAll("[data-marker]")) word.hidden = word.dataset.marker !== marker;
  preview.querySelector("figure").className = marker ? `example is-${marker}` : "example";
  preview.querySelector("[data-caption]").textContent = field("caption").value;
  document.getElementById("no-examples")?.toggleAttribute("hidden", !preview.hidden);
}

picture.addEventListener("error", () => {
  picture.hidden = true;
  unseen.hidden = false;
});
field("picture").addEventListener("change", () => {
  if (field("picture").files.length) field("item").value = "";
  showPicture();
});
form.addEventListener("input", show);
form.addEventListener("change", show);
show();
