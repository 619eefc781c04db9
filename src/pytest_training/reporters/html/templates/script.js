// Sorts, filters and folds the page of a run. Without it the page shows everything.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const collator = new Intl.Collator(undefined, { numeric: true });
  const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;

  // A table: a button in each header sorts, a second press turns the order round; of many rows the first are shown.
  const listing = (table, most, matches, show) => {
    const headers = [...table.tHead.rows[0].cells];
    let rows = [...table.tBodies[0].rows];
    const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    const update = () => {
      const shown = rows.filter((row) => matches(row, texts.get(row)));
      const focused = document.activeElement;
      table.tBodies[0].replaceChildren(...shown.slice(0, most));
      if (focused.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
      show(shown, rows);
    };
    const sort = (header, column, sign) => {
      const values = rows.map((row) => value(row, column));
      const numeric = !values.some((each) => Number.isNaN(Number(each)));
      const keyed = rows.map((row, index) => [values[index], numeric ? Number(values[index]) : values[index], row]);
      keyed.sort(([one, a], [other, b]) => {
        if (one === "" || other === "") return (one === "") - (other === "");
        return sign * (numeric ? a - b : collator.compare(a, b));
      });
      rows = keyed.map(([, , row]) => row);
      for (const each of headers) each.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      update();
    };
    headers.forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = header.textContent;
      header.replaceChildren(button);
      const first = header.dataset.first === "descending" ? -1 : 1; // of a metric the best comes first
      const next = () => ({ ascending: -1, descending: 1 })[header.getAttribute("aria-sort")] ?? first;
      button.addEventListener("click", () => sort(header, column, next()));
    });
    const take = (fresh) => {  // of a newer page the rows in its order: a name for one that has not changed
      const known = new Map(rows.map((row) => [row.dataset.job, row]));
      rows = fresh.map((each) => known.get(each) ?? each);
      for (const row of rows) if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
      const column = headers.findIndex((each) => each.ariaSort);
      if (column < 0) update();
      else sort(headers[column], column, headers[column].ariaSort === "ascending" ? 1 : -1);
    };
    return { texts, update, take, more: () => { most *= 4; update(); } };
  };

  // Filtering: the list of jobs and the sections below follow the same three fields.
  const table = byId("table");
  const [search, status, data, count] = ["search", "status", "data", "count"].map(byId);
  const wordsOf = (field) => field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const jobs = listing(table, Infinity, (row, text) =>
    wordsOf(search).every((word) => text.includes(word)) &&
    (!status.value || row.dataset.status === status.value) &&
    (!data.value || row.dataset.data === data.value),
  (shown, rows) => {
    const visible = new Set(shown);
    for (const row of rows) byId(row.dataset.job)?.toggleAttribute("hidden", !visible.has(row));
    count.textContent = (shown.length < rows.length ? `${shown.length} of ` : "") + `${rows.length} job${rows.length === 1 ? "" : "s"}`;
    byId("nothing").hidden = shown.length > 0 || rows.length === 0;
  });
  const filter = jobs.update;

  // Trials of a study: words and conditions filter, and what matches can be saved as CSV.
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const holds = (keys, row, text, word) => {
    const [, name, sign, wanted] = word.match(/^(.+?)([<>]=?|=)(.+)$/) ?? [];
    const column = keys.indexOf(name);
    if (column < 0) return text.includes(word);
    const actual = value(row, column).toLowerCase();
    const order = actual === "" ? NaN : Number(actual) - Number(wanted);
    if (Number.isNaN(order)) return sign === "=" && actual === wanted;
    return (sign.includes("=") && order === 0) || (sign[0] === "<" && order < 0) || (sign[0] === ">" && order > 0);
  };
  const study = (trials) => {
    const { previousElementSibling: form, nextElementSibling: below } = trials.closest(".scroll");
    const [field, more] = [form.querySelector("input"), below.firstElementChild];
    const names = [...trials.tHead.rows[0].cells].map((each) => each.dataset.key);
    const keys = names.map((each) => each.toLowerCase());
    const job = table.querySelector(`[data-job="${CSS.escape(trials.closest("details").dataset.job)}"]`);
    const ids = [...trials.tBodies[0].rows].map((row) => value(row, 0).toLowerCase());
    jobs.texts.set(job, [jobs.texts.get(job), ...ids].join(" "));
    let matching = [];
    const list = listing(trials, 25, (row, text) => wordsOf(field).every((word) => holds(keys, row, text, word)), (shown, rows) => {
      matching = shown;
      form.querySelector("output").textContent = `${shown.length} of ${rows.length} rows`;
      const left = shown.length - trials.tBodies[0].rows.length;
      below.hidden = left === 0;
      more.textContent = `Show more: ${left} are left`;
    });
    field.addEventListener("input", list.update);
    more.addEventListener("click", list.more);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.querySelector("button").addEventListener("click", () => {
      const lines = [names, ...matching.map((row) => names.map((_, column) => value(row, column)))];
      const content = lines.map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n";
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([content], { type: "text/csv" }));
      link.download = `${trials.dataset.name}.csv`;
      link.click();
    });
    form.hidden = false;
    list.update();
    wired.add(trials);
  };
  const wired = new WeakSet();
  const wire = () => {
    [...document.querySelectorAll(".trials")].filter((each) => !wired.has(each)).forEach(study);
    for (const each of document.querySelectorAll(".neighbours")) each.hidden = false;
  };
  wire();

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
    const section = byId(anchor);
    if (!section?.matches("details[data-job]")) return;
    if (section.closest("details[hidden]")) clear();
    for (let each = section; each; each = each.parentElement.closest("details")) each.open = true;
    section.scrollIntoView();
    section.querySelector("summary").focus({ preventScroll: true });
  };
  const follow = () => show(decodeURIComponent(location.hash.slice(1)));
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const [link, bar] = ["main a", ".gantt .bar"].map((each) => event.target.closest(each));
    if (link && link.hash === location.hash) follow();
    if (bar) show(bar.dataset.job);
    const step = event.target.dataset?.step;  // to the job before or after, of those that the filter shows
    for (let each = step && event.target.closest("details"); each; ) {
      each = each[`${step}ElementSibling`];
      if (each?.matches("details[data-job]:not([hidden])")) { show(each.id); break; }
    }
  });
  const fold = (open) => document.querySelectorAll("details[data-job], .one-by-one")
    .forEach((each) => each.closest("details[hidden]") || (each.open = open));
  byId("open-all").addEventListener("click", () => fold(true));
  byId("close-all").addEventListener("click", () => fold(false));

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
  window.trainingPage = { ...window.trainingPage, rows: jobs.take, wire: () => { wire(); filter(); } };
})();
