// Sorts, filters and folds the page of a run. Without it the page shows everything.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const table = byId("table");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const sections = new Map([...document.querySelectorAll("details[data-job]")].map((each) => [each.dataset.job, each]));

  // Sorting: a button in each header; a second press turns the order round.
  const value = (row, column, numeric) => {
    const found = row.cells[column].dataset.value;
    return numeric ? (found === "" ? NaN : Number(found)) : found;
  };
  const sort = (header, column) => {
    const descending = header.getAttribute("aria-sort") === "ascending";
    const numeric = header.dataset.kind === "number";
    rows.sort((one, other) => {
      const [a, b] = [value(one, column, numeric), value(other, column, numeric)];
      if (numeric && (Number.isNaN(a) || Number.isNaN(b))) return Number.isNaN(a) - Number.isNaN(b);
      const order = numeric ? a - b : a.localeCompare(b, undefined, { numeric: true });
      return descending ? -order : order;
    });
    for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    body.append(...rows);
  };
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    header.replaceChildren(button);
    button.addEventListener("click", () => sort(header, column));
  });

  // Filtering: the table's rows and the sections below follow the same three fields.
  const [search, status, data, count] = ["search", "status", "data", "count"].map(byId);
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const matches =
        words.every((word) => texts.get(row).includes(word)) &&
        (!status.value || row.dataset.status === status.value) &&
        (!data.value || row.dataset.data === data.value);
      row.hidden = !matches;
      const section = sections.get(row.dataset.job);
      if (section) section.hidden = !matches;
      shown += matches;
    }
    count.textContent = shown === rows.length ? `${shown} jobs` : `${shown} of ${rows.length} jobs`;
    byId("nothing").hidden = shown > 0;
  };
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  for (const field of [search, status, data]) {
    field.addEventListener("input", filter);
    field.addEventListener("change", filter);
  }
  const clear = () => {
    search.value = status.value = data.value = "";
    filter();
  };
  byId("clear").addEventListener("click", () => {
    clear();
    search.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search) {
      clear();
    }
  });

  // Folding: a link to a job unfolds it; a bar of the timeline leads to its job.
  const show = (anchor) => {
    const section = sections.get(anchor);
    if (!section) return;
    if (section.hidden) clear();
    section.open = true;
    section.scrollIntoView();
    section.querySelector("summary").focus({ preventScroll: true });
  };
  const follow = () => show(decodeURIComponent(location.hash.slice(1)));
  addEventListener("hashchange", follow);
  for (const link of body.querySelectorAll("a")) {
    link.addEventListener("click", () => link.hash === location.hash && follow());
  }
  for (const bar of document.querySelectorAll(".gantt .bar")) bar.addEventListener("click", () => show(bar.dataset.job));
  const fold = (open) => sections.forEach((section) => section.hidden || (section.open = open));
  byId("open-all").addEventListener("click", () => fold(true));
  byId("close-all").addEventListener("click", () => fold(false));

  // Printing shows everything, and folds it again.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const each of folded) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of folded) each.open = false;
  });

  // Theme: the system's, light or dark; remembered where the browser allows a page from disk to.
  const themes = ["system", "light", "dark"];
  const button = byId("theme");
  const paint = (theme) => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  let theme = "system";
  try {
    theme = themes.find((each) => each === localStorage.getItem("training-theme")) || theme;
  } catch { /* no storage: the system's theme */ }
  paint(theme);
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    paint(theme);
    try {
      localStorage.setItem("training-theme", theme);
    } catch { /* not remembered */ }
  });

  for (const id of ["filters", "fold", "theme"]) byId(id).hidden = false;
  filter();
  if (location.hash) follow();
})();
