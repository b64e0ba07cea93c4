// The dashboard works without this script. With it, pages refresh themselves, a range
// of rows can be selected, and there are keyboard shortcuts.
"use strict";
const root = document.documentElement, body = document.body;
root.classList.add("js");
const live = document.getElementById("live");
const choice = document.querySelector('.choices [name="refresh"]');
let every = Number(body.dataset.refresh) || 0, wait = 0, timer = 0, tag = "", lastGood = new Date();
let stream = null, streams = false, failures = 0; // the stream of changes, and whether it works
let stale = false, loading = false, next = 0; // next is the time of the earliest refresh after a change

const texts = JSON.parse(body.dataset.texts); // in the language of the page
const says = (name, ...parts) => texts[name].replace(/%s/g, () => parts.shift());
const clock = (d) => d.toLocaleTimeString();
const span = (s) => s < 60 ? `${Math.floor(s)} s` : s < 3600 ? `${Math.floor(s / 60)} min` : s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;

// The server sends times; this shows how long ago or how far away they are, by the browser's clock.
function tellTimes() {
  for (const t of document.querySelectorAll("time[data-ago], time[data-for]")) {
    const long = span(Math.max(0, (Date.now() - Date.parse(t.dateTime)) / 1000)), text = "ago" in t.dataset ? says("ago", long) : long;
    if (t.textContent !== text) t.textContent = text;
  }
  for (const t of document.querySelectorAll("time[data-due]")) {
    const left = (Date.parse(t.dateTime) - Date.now()) / 1000, text = left >= 0 ? says("due", span(left)) : says("overdue", span(-left));
    if (t.textContent !== text) t.textContent = text;
  }
}

// busy returns why a refresh would disturb the user, or "".
function busy() {
  if (document.hidden) return "hidden";
  if (document.querySelector("dialog[open]")) return "dialog";
  if (document.querySelector("[data-row] input:checked")) return "rows";
  const at = document.activeElement;
  if (at && at.closest("main") && at.matches("input:not([type=checkbox]), select, textarea")) return "field";
  return "";
}

const was = new WeakMap(); // the regions as the server sent them, to detect changes
const key = (e) => e.dataset.key || e.querySelector("summary, a")?.textContent || "";

// swap replaces the regions that have changed. Open details, the focus and the scroll
// position stay.
function swap(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const now of document.querySelectorAll("[data-live]")) {
    const next = fresh.querySelector(`[data-live="${now.dataset.live}"]`);
    if (!next || next.innerHTML === was.get(now)) continue;
    was.set(now, next.innerHTML);
    const open = [...now.querySelectorAll("details[open]")].map((d) => d.closest("[data-row]")?.querySelector("[data-open]")?.getAttribute("href") || key(d));
    const shut = [...now.querySelectorAll("details[data-fold]:not([open])")].map(key);
    const focus = document.activeElement && now.contains(document.activeElement) ? document.activeElement : null;
    const at = focus && { href: focus.getAttribute("href"), name: focus.name, value: focus.value, text: focus.textContent, fold: focus.matches("summary") && focus.parentNode.dataset.key };
    const marked = now.querySelector(".at [data-open]")?.getAttribute("href");
    now.replaceChildren(...next.childNodes);
    for (const d of now.querySelectorAll("details")) {
      if (d.matches("[data-fold]") && shut.includes(key(d))) d.open = false;
      else if (open.includes(d.closest("[data-row]")?.querySelector("[data-open]")?.getAttribute("href") || key(d))) d.open = true;
    }
    if (at) [...now.querySelectorAll("a, button, input, summary")].find((e) => e.getAttribute("href") === at.href && e.name === at.name && e.value === at.value && (at.fold ? e.matches("summary") && e.parentNode.dataset.key === at.fold : e.textContent === at.text))?.focus({ preventScroll: true });
    if (marked) [...now.querySelectorAll("[data-open]")].find((a) => a.getAttribute("href") === marked)?.closest("[data-row]").classList.add("at");
  }
  tellTimes();
}

async function refresh() {
  clearTimeout(timer);
  if (loading) return;
  const why = busy(), began = Date.now();
  if (why) {
    next = began + 1000;
    if (why !== "hidden" && every) live.textContent = says(why);
  } else {
    stale = false;
    loading = true;
    try {
      const answer = await fetch(location.href, { headers: { "X-Fragment": "1", ...(tag && { "If-None-Match": tag }) }, cache: "no-store" });
      if (answer.status !== 304) {
        if (!answer.ok) throw new Error(String(answer.status));
        tag = answer.headers.get("ETag") || "";
        const html = await answer.text();
        if (!busy()) swap(html); else { tag = ""; stale = true; }
      }
      lastGood = new Date();
      wait = 0;
      live.textContent = every ? says("updated", clock(lastGood)) : "";
    } catch {
      wait = Math.min(Math.max(wait * 2, 1), 30);
      live.textContent = says("late", clock(lastGood), wait);
    }
    loading = false;
    next = Date.now() + 9 * (Date.now() - began); // a slow page is not fetched all the time
  }
  plan();
}

// plan sets the time of the next refresh: soon after a change, and seldom otherwise if the
// stream reports every change of the page.
function plan() {
  clearTimeout(timer);
  if (!every) return;
  const pause = wait || (streams && "whole" in body.dataset ? 60 : every);
  timer = setTimeout(refresh, stale && !wait ? Math.max(0, next - Date.now()) : pause * 1000);
}

// listen opens the stream of changes, if the user wants it. Until its first event, and
// after two failures, the page polls. A browser allows few connections, so that a hidden
// page has no stream.
function listen() {
  if (choice.value !== "live" || !body.dataset.stream || document.hidden || failures > 1) {
    stream?.close();
    stream = null;
    streams = false;
    return;
  }
  if (stream) return;
  const source = stream = new EventSource(body.dataset.base + "events"), late = setTimeout(fail, 10000); // a proxy may buffer
  source.addEventListener("changed", (e) => {
    clearTimeout(late);
    failures = 0;
    streams = true;
    if (e.data.split(" ").includes(body.dataset.stream)) stale = true;
    if (!loading) plan();
  });
  source.addEventListener("error", fail);
  function fail() {
    clearTimeout(late);
    if (stream !== source) return;
    source.close();
    stream = null;
    streams = false;
    failures++;
    setTimeout(() => { if (failures > 1) failures = 0; listen(); }, failures > 1 ? 300000 : 2000);
    plan();
  }
}

document.addEventListener("visibilitychange", () => { listen(); if (!document.hidden && every) refresh(); });

// A choice of theme or refresh applies at once.
document.querySelector(".choices").addEventListener("change", (e) => {
  if (e.target.name === "theme") root.dataset.theme = e.target.value;
  if (e.target.name === "refresh") { every = e.target.value === "live" ? 5 : Number(e.target.value); wait = failures = 0; listen(); plan(); live.textContent = ""; }
  fetch(e.currentTarget.action, { method: "POST", body: new URLSearchParams(new FormData(e.currentTarget)), redirect: "manual" });
});

// Select a range of rows with shift, or all rows of the page.
let lastBox = null;
document.addEventListener("click", (e) => {
  const box = e.target;
  if (box.matches?.("[data-all]")) {
    for (const b of box.form.querySelectorAll('input[name="ids"]')) b.checked = box.checked;
  } else if (box.matches?.('input[name="ids"]')) {
    const all = [...box.form.querySelectorAll('input[name="ids"]')], from = all.indexOf(lastBox), to = all.indexOf(box);
    if (e.shiftKey && from >= 0) for (const b of all.slice(Math.min(from, to), Math.max(from, to) + 1)) b.checked = box.checked;
    lastBox = box;
  } else if (box.closest?.("[data-help]")) openHelp();
  else if (box.closest?.("[data-copy]")) copy(box.closest("[data-copy]").nextElementSibling);
});
function copy(text) {
  const done = () => { live.textContent = says("copied"); }, select = () => { getSelection().selectAllChildren(text); };
  if (navigator.clipboard) navigator.clipboard.writeText(text.textContent).then(done, select); else select();
}
document.addEventListener("submit", (e) => {
  const form = e.target, button = e.submitter;
  if (!form.matches("[data-select]") || button?.closest("[data-row]")) return;
  if (!form.querySelector('input[name="ids"]:checked')) { e.preventDefault(); live.textContent = says("select"); }
});

// Questions appear in a dialog over the page; without this script they are pages.
const asking = document.getElementById("ask");
async function send(form, button) {
  const to = button?.hasAttribute("formaction") ? button.formAction : form.getAttribute("action");
  const body = new URLSearchParams(new FormData(form, button));
  button?.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(new URL(to, location.href), { method: "POST", headers: { "X-Dialog": "1" }, body, cache: "no-store" });
    const next = answer.headers.get("X-Location");
    if (next) { location.assign(new URL(next, answer.url)); return; }
    const ask = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".ask");
    for (const f of ask.querySelectorAll("form")) f.action = new URL(f.getAttribute("action"), answer.url);
    asking.replaceChildren(ask);
    asking.setAttribute("aria-label", ask.querySelector("h1").textContent);
    asking.showModal();
  } catch { live.textContent = says("unsent"); }
  button?.removeAttribute("aria-busy");
}
asking.addEventListener("click", (e) => { if (e.target === asking || e.target.closest("a")) { e.preventDefault(); asking.close(); } });
document.addEventListener("submit", (e) => {
  const form = e.target;
  if (e.defaultPrevented || form.getAttribute("method") !== "post" || !form.closest("main, .summary") || form.closest(".ask")) return;
  e.preventDefault();
  if (e.submitter?.getAttribute("aria-busy") !== "true") send(form, e.submitter);
});

// The menu closes like a menu: with Escape, with a click elsewhere, and when the focus leaves it.
const menu = document.querySelector("details.more");
document.addEventListener("click", (e) => { if (menu && !menu.contains(e.target)) menu.open = false; });
menu?.addEventListener("focusout", (e) => { if (e.relatedTarget && !menu.contains(e.relatedTarget)) menu.open = false; });
menu?.addEventListener("keydown", (e) => { if (e.key === "Escape") { menu.open = false; menu.querySelector("summary").focus(); } });

// Keyboard shortcuts, unless the user has switched them off or is typing.
const help = document.getElementById("help"), keysBox = help.querySelector("[data-keys]");
keysBox.checked = localStorage.getItem("resque-keys") !== "off";
keysBox.addEventListener("change", () => localStorage.setItem("resque-keys", keysBox.checked ? "on" : "off"));
document.querySelector("[data-help]").hidden = false;
function openHelp() { help.showModal(); }
const rows = () => [...document.querySelectorAll("[data-row]")];
function move(by) {
  const all = rows(), at = all.findIndex((r) => r.classList.contains("at"));
  if (!all.length) return;
  const to = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  all[at]?.classList.remove("at");
  to.classList.add("at");
  to.scrollIntoView({ block: "nearest" });
}
const tabs = { o: "overview", w: "working", f: "failed", q: "queues", k: "workers", e: "schedule", d: "delayed", s: "stats" };
document.addEventListener("keydown", (e) => {
  if (!keysBox.checked || e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input:not([type=checkbox]), select, textarea") || document.querySelector("dialog[open]")) return;
  const row = document.querySelector("[data-row].at");
  const done = () => e.preventDefault();
  if (tabs[e.key]) { done(); document.querySelector(`[data-tab="${tabs[e.key]}"]`)?.click(); return; }
  switch (e.key) {
    case "/": { const field = document.querySelector("[data-search]"); if (field) { done(); field.focus(); } break; }
    case "?": done(); openHelp(); break;
    case "j": done(); move(1); break;
    case "n": done(); move(-1); break;
    case "x": { const box = row?.querySelector('input[name="ids"]'); if (box) { done(); box.click(); } break; }
    case "Enter": if (row && !e.target.closest("a, button, summary")) { done(); row.querySelector("[data-open]")?.click(); } break;
    case "r": { const retry = row?.querySelector("[data-retry]") || document.querySelector("main .head [data-retry]"); if (retry) { done(); retry.click(); } break; }
    case "R": case "t": {
      const select = document.querySelector(`.choices [name="${e.key === "t" ? "theme" : "refresh"}"]`);
      done();
      select.value = e.key === "R" ? (select.value === "0" ? "live" : "0") : { auto: "dark", dark: "light", light: "auto" }[select.value];
      select.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }
});

for (const region of document.querySelectorAll("[data-live]")) was.set(region, region.innerHTML);
tellTimes();
setInterval(tellTimes, 1000);
plan();
listen();
