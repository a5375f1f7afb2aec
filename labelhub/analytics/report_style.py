"""The style sheet of the self-contained report: light tables, dark ground under pictures, print and small screens."""

STYLE = """
:root { color-scheme: light; --text: #1a1e23; --muted: #545c66; --line: #d9dde2; --soft: #f6f7f8; --accent: #0a5ca8;
  --warn: #855300; --warn-soft: #fbf0db; --grey: #6b7280; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; color: var(--text); background: #fff; line-height: 1.5; font-size: 15px;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  font-variant-numeric: tabular-nums; }
main, header, footer { max-width: 1080px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 32px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; text-wrap: balance; }
h2 { font-size: 19px; margin: 40px 0 8px; padding-top: 12px; border-top: 1px solid var(--line); }
h3 { font-size: 15px; margin: 24px 0 6px; overflow-wrap: anywhere; }
p { margin: 6px 0 10px; max-width: 76ch; }
a { color: var(--accent); }
a:focus-visible, summary:focus-visible, [tabindex]:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.sub, .small { color: var(--muted); font-size: 13px; }
.caution { background: var(--warn-soft); border-left: 4px solid var(--warn); padding: 10px 14px; margin: 16px 0; }
.caution ul { margin: 4px 0 0; padding-left: 20px; }
.verdict { font-size: 18px; line-height: 1.5; padding-left: 26px; margin: 16px 0; }
.verdict li { margin: 8px 0; max-width: 72ch; overflow-wrap: anywhere; }
nav { font-size: 13px; display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 12px 0; }
.scroll { overflow-x: auto; margin: 8px 0 12px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
caption { text-align: left; color: var(--muted); font-size: 13px; padding: 4px 0; }
th, td { text-align: left; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; color: var(--muted); font-size: 12.5px; }
td.num, th.num { text-align: right; white-space: nowrap; }
td.wide { min-width: 220px; overflow-wrap: anywhere; }
.est { white-space: nowrap; text-decoration: none; color: inherit; border-bottom: 1px dotted var(--muted); }
.est b { font-weight: 650; }
.est .rest { color: var(--muted); font-size: 12.5px; }
.claim { display: block; width: fit-content; max-width: 34ch; color: var(--muted); font-size: 12.5px;
  text-decoration: underline dotted 1px; text-underline-offset: 3px; cursor: help; }
.claim-tip { display: none; }
.claim:focus { text-decoration: none; }
.claim:focus .claim-tip { display: block; white-space: pre-line; margin: 4px 0; padding: 6px 8px; background: var(--soft);
  border-left: 3px solid var(--accent); color: var(--text); }
.est.grey, .est.grey .rest { color: var(--grey); font-style: italic; }
.plot { display: block; }
.warn { color: var(--warn); font-size: 13px; }
.cards { display: grid; gap: 20px; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; break-inside: avoid; }
.card h3 { margin: 0 0 4px; }
.views { display: flex; flex-wrap: wrap; gap: 12px; margin-top: 8px; }
figure { margin: 0; width: 260px; max-width: 100%; }
figcaption { font-size: 12.5px; color: var(--muted); margin-top: 4px; overflow-wrap: anywhere; }
.picture { display: block; width: 100%; height: auto; border-radius: 4px; background: #0b0b0b; }
.key { display: inline-flex; align-items: center; gap: 6px; background: #0b0b0b; color: #fff; padding: 3px 8px;
  border-radius: 4px; font-size: 12.5px; margin: 0 6px 6px 0; }
.matrix td { text-align: right; padding: 5px 8px; }
.parts { display: grid; grid-template-columns: max-content 1fr; gap: 0 12px; margin: 4px 0; font-size: 13px; }
.parts dt { margin: 0; font-weight: 400; color: var(--muted); text-decoration: underline dotted 1px;
  text-underline-offset: 3px; }
.parts dd { margin: 0; overflow-wrap: anywhere; }
details { margin: 6px 0; }
summary { cursor: pointer; }
.behind { columns: 3; font-size: 13px; overflow-wrap: anywhere; }
dt { font-weight: 600; margin-top: 8px; }
dd { margin: 2px 0 0; max-width: 76ch; }
footer { color: var(--muted); font-size: 13px; padding: 24px 20px 48px; }
:target { background: #fff7d6; }
@media (max-width: 640px) { body { font-size: 14px; } .verdict { font-size: 16px; } figure { width: 100%; }
  .behind { columns: 1; } th, td { padding-right: 8px; } }
@media print { nav { display: none; } .caution { border: 1px solid var(--warn); } .scroll { overflow: visible; }
  .picture, .key { print-color-adjust: exact; -webkit-print-color-adjust: exact; } h2 { break-after: avoid; }
  body { font-size: 11px; } }
"""
