// Builds static/vendor/niivue/: one ES module with its licences and its SHA-256. For developers alone; what it writes is committed.
//
//   cd tests/js && npm ci && npm run vendor
//
// NiiVue's own prebuilt file has no NVImage, which takes a volume from memory instead of an address.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "..", "node_modules");
const target = join(here, "..", "..", "..", "static", "vendor", "niivue");
// Packages that carry no licence file in what they publish: the text that stands in their repository.
const ELSEWHERE = { "@niivue/niivue": "licence-niivue.txt" };

const made = await build({
  entryPoints: [join(here, "niivue_entry.js")],
  bundle: true, format: "esm", target: "es2022", minify: true, write: false, metafile: true, legalComments: "none",
  charset: "utf8", alias: { zarrita: join(here, "no_zarr.js") }, outfile: join(target, "niivue.js"), absWorkingDir: join(here, ".."),
});

mkdirSync(target, { recursive: true });
const names = packagesOf(made.metafile);
const facts = names.map((name) => JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8")));
const code = `/* NiiVue and what it needs, bundled for LabelHub: licences in LICENSES.txt beside this file. */\n${made.outputFiles[0].text}`;
writeFileSync(join(target, "niivue.js"), code);
// The bundle itself is nothing for our type checks.
writeFileSync(join(target, "niivue.d.ts"), "export const Niivue: any;\nexport const NVImage: any;\n");
writeFileSync(join(target, "LICENSES.txt"), facts.map(licenceOf).join(`\n\n${"-".repeat(80)}\n\n`));
writeFileSync(join(target, "bundle.json"), `${JSON.stringify({
  file: "niivue.js",
  sha256: createHash("sha256").update(code).digest("hex"),
  packages: Object.fromEntries(facts.map(({ name, version, license }) => [name, { version, license }])),
}, null, 2)}\n`);

/** The packages that something in the bundle comes from. */
function packagesOf(metafile) {
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.keys(output.inputs));
  const found = inputs.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter(Boolean);
  return [...new Set(found)].sort();
}

function licenceOf({ name, version, license }) {
  const own = ["LICENSE", "LICENSE.md", "license"].map((file) => join(modules, name, file)).find(existsSync);
  const path = own ?? join(here, ELSEWHERE[name]);
  return `${name} ${version} (${license})\n\n${readFileSync(path, "utf8").trim()}\n`;
}
