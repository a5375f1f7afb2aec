// Small tables that are whole on the page: sort by a click on the header, filter by text; both live in the address.

/** Make every `table[data-sorts]` below `root` sortable, and every `input[data-filters="id"]` filter its table. */
export function startTables(root) {
  for (const table of root.querySelectorAll("table[data-sorts]")) makeSortable(table);
  for (const input of root.querySelectorAll("input[data-filters]")) makeFilter(input);
}

function remember(name, value) {
  const address = new URL(location.href);
  if (value) address.searchParams.set(name, value);
  else address.searchParams.delete(name);
  history.replaceState(history.state, "", address);
}

function makeSortable(table) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    if (!header.dataset.sort) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...header.childNodes);
    header.append(button);
    header.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const isUp = header.getAttribute("aria-sort") !== "ascending";
      sortBy(table, headers, column, isUp);
      remember("sort", `${isUp ? "" : "-"}${header.dataset.sort}`);
    });
  });
  const asked = new URL(location.href).searchParams.get("sort");
  const column = headers.findIndex((header) => header.dataset.sort && header.dataset.sort === asked?.replace(/^-/, ""));
  if (column >= 0) sortBy(table, headers, column, !asked.startsWith("-"));
}

function sortBy(table, headers, column, isUp) {
  headers.forEach((header, index) => {
    if (header.dataset.sort) header.setAttribute("aria-sort", index !== column ? "none" : isUp ? "ascending" : "descending");
  });
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row, place) => ({ row, place, key: keyOf(row.cells[column]) }));
  rows.sort((a, b) => {
    // What is not defined comes last, whichever way the rest is sorted.
    if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.place - b.place;
    const order = typeof a.key === "number" && typeof b.key === "number" ? a.key - b.key : String(a.key).localeCompare(String(b.key));
    return (isUp ? order : -order) || a.place - b.place;
  });
  body.append(...rows.map(({ row }) => row));
}

function keyOf(cell) {
  const text = (cell.dataset.value ?? cell.textContent).trim();
  if (text === "" || text === "–" || text === "None") return null;
  const number = Number(text.replace("−", "-"));
  return Number.isNaN(number) ? text : number;
}

function makeFilter(input) {
  const table = document.getElementById(input.dataset.filters);
  const count = document.querySelector(`[data-count-of="${input.dataset.filters}"]`);
  const apply = () => {
    const wanted = input.value.trim().toLowerCase();
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    if (count) count.textContent = `${shown} shown`;
    remember(input.name, input.value.trim());
  };
  input.value = new URL(location.href).searchParams.get(input.name) ?? input.value;
  input.addEventListener("input", apply);
  if (input.value) apply();
}
