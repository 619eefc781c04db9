// Writes times as the reader's clock and calendar have them. Without it the page shows UTC.
"use strict";
(() => {
  const days = (time) => Math.round((new Date().setHours(0, 0, 0, 0) - new Date(time).setHours(0, 0, 0, 0)) / 864e5);
  const units = [["year", 31557600], ["month", 2629800], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const age = (time) => {
    const seconds = (Date.now() - time) / 1000;
    const [unit, length] = units.find(([, each]) => seconds >= each) ?? ["", 1];
    return unit ? relative.format(-Math.floor(seconds / length), unit) : "just now";
  };
  const moment = (time) => {
    const clock = time.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    const past = days(time);
    if (past === 0) return `${clock} today`;
    if (past === -1) return `${clock} tomorrow`;
    if (past === 1) return `${clock} yesterday`;
    return `${clock}, ${time.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" })}`;
  };
  const times = () => {
    for (const each of document.querySelectorAll("time:not([title])")) {
      const time = new Date(each.dateTime);
      each.title = each.textContent;
      each.textContent = each.classList.contains("age") ? age(time) : moment(time);
    }
  };
  window.trainingPage = { ...window.trainingPage, times };
  times();
})();
