// The page of a run in progress follows its newer self. A page from disk may read no file: a hidden frame shows the
// newer page, which posts itself to the older one. What has not changed is not touched; the rest is replaced at once.
"use strict";
(() => {
  const main = document.querySelector("main");
  const written = document.documentElement.outerHTML;
  const run = `#${main.dataset.run}`;
  if (parent !== window && location.hash.startsWith("#run-")) {
    const origin = location.protocol === "file:" ? "*" : location.origin;
    parent.postMessage(location.hash === run ? written : "", origin);  // who knows the run's id may read its page
    return;
  }
  if (!main.dataset.written) return;

  const parse = (text) => new DOMParser().parseFromString(text, "text/html");
  const keyed = (parent) => new Map([...parent.children].map((each, index) =>
    [each.id || each.dataset.job || each.getAttribute("value") || `${each.tagName} ${index}`, each]));
  const focusable = "a, button, input, select, summary, [tabindex]";

  // Replaces an element; what people opened stays open, pictures stay drawn, the focus stays where it was.
  const replace = (old, fresh) => {
    const node = document.importNode(fresh, true);
    const place = [...old.querySelectorAll(focusable)].indexOf(document.activeElement);
    for (const each of [node, ...node.querySelectorAll("details")]) {
      const was = each.id && document.getElementById(each.id);
      if (was && "open" in was) each.open = was.open;
    }
    const pictures = new Map([...old.querySelectorAll("img")].map((each) => [each.src, each]));
    for (const each of node.querySelectorAll("img")) {
      if (pictures.has(each.src)) each.replaceWith(pictures.get(each.src));
    }
    old.replaceWith(node);
    if (place >= 0) node.querySelectorAll(focusable)[place]?.focus({ preventScroll: true });
  };

  // Brings the children of an element to those of its newer self; `before` is the older one as it was written.
  const merge = (live, before, next) => {
    const [mine, old, fresh] = [live, before, next].map(keyed);
    const isSame = (name) => old.get(name)?.isEqualNode(fresh.get(name));
    if (live.tagName === "TBODY") {
      window.trainingPage.rows([...fresh].map(([name, row]) => (isSame(name) ? name : document.importNode(row, true))));
      return;
    }
    for (const [name, node] of mine) if (!fresh.has(name)) node.remove();
    let place = live.firstElementChild;
    for (const [name, newer] of fresh) {
      const node = mine.get(name);
      if (node && node === place) place = place.nextElementSibling;
      else if (node && live.moveBefore) live.moveBefore(node, place);  // keeps focus and scrolling; newer browsers have it
      else live.insertBefore(node ?? document.importNode(newer, true), place);
      if (!node || isSame(name)) continue;
      if ("merge" in newer.dataset && old.has(name)) merge(node, old.get(name), newer);
      else replace(node, newer);
    }
  };

  // What somebody looks at stays where it is, whatever comes and goes above it: the browser's own way fails where that
  // is what it held on to. Returns what puts it back.
  const hold = () => {
    if (scrollY === 0) return () => {};
    const heights = [...Array(18).keys()].map((each) => (innerHeight * (each + 0.5)) / 18);
    const seen = [document.activeElement, ...heights.map((each) => document.elementFromPoint(innerWidth / 2, each))]
      .filter((each) => each && !each.matches("html, body, [data-merge]"))
      .map((each) => [each, each.getBoundingClientRect().top])
      .filter(([, top]) => top > -innerHeight && top < innerHeight);
    return () => {
      const [node, top] = seen.find(([each]) => each.isConnected) ?? [];
      if (node) scrollBy({ top: node.getBoundingClientRect().top - top, behavior: "instant" });
    };
  };
  document.documentElement.style.overflowAnchor = "none";

  let [last, frame, timer] = [parse(written), null, 0];
  const check = () => {
    const late_s = (Date.now() - Date.parse(main.dataset.written)) / 1000 - 5 * main.dataset.every;
    const stale = document.getElementById("stale");
    if (stale) {
      stale.hidden = late_s < 30;
      const badge = document.querySelector(".pill");
      badge.dataset.word ??= badge.textContent;
      badge.textContent = stale.hidden ? badge.dataset.word : "◼ No longer written";
      badge.className = `pill ${stale.hidden ? "running" : "unfinished"}`;
    }
    return stale && !stale.hidden;
  };
  const wait = () => {
    clearTimeout(timer);
    if (main.dataset.written) timer = setTimeout(ask, check() ? 30_000 : 1000 * Math.max(main.dataset.every, 2));
  };
  const ask = () => {
    wait();
    if (document.hidden || !main.dataset.written) return;
    frame?.remove();
    frame = document.createElement("iframe");
    frame.hidden = true;
    frame.src = `${location.href.split(/[?#]/)[0]}?${Date.now()}${run}`;
    document.body.append(frame);
  };
  addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow) return;
    frame.remove();
    frame = null;
    if (!event.data) {  // another run's page has taken the place
      location.reload();
      return;
    }
    const next = parse(event.data);
    document.title = next.title;
    for (const name of ["written", "every"]) {
      const value = next.querySelector("main").dataset[name];
      if (value) main.dataset[name] = value;
      else delete main.dataset[name];  // the run has ended
    }
    const [putBack, focused] = [hold(), document.activeElement];
    merge(document.body, last.body, next.body);
    if (focused.isConnected && document.activeElement === document.body) focused.focus({ preventScroll: true });
    last = next;
    window.trainingPage.wire();
    window.trainingPage.times();
    putBack();
    wait();
  });
  document.addEventListener("visibilitychange", ask);
  wait();
})();
