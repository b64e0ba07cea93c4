// Keeps the page up to date: by a stream, or by long polls, or by plain polls.
// The server renders the rows.
'use strict';

const { live, only, version: first } = document.body.dataset;
const $ = (id) => document.getElementById(id);
const rows = () => document.querySelectorAll('[data-row]');
const usual = document.title, quarters = {}, open = new Set(sessionStorage.open?.split(','));
let version = first, source, request, timer, pending, ready, streamed, errors = 0, tries = 0, swaps = 0;

const address = (path, more) => `${path}?version=${version}${only ? `&id=${only}` : ''}${more}`;

function apply(news) {
  version = news.version;
  errors = tries = 0;
  $('lost').hidden = true;
  let stale = news.ids.length !== rows().length;
  for (const e of news.exports) {
    const row = $(`export-${e.id}`);
    if (row?.dataset.state === e.state) progress(row, e);
    else stale = true;
    if (row && e.state === 'ready' && open.has(row.id)) stale = ready = e.id;
  }
  if (stale) pending ||= setTimeout(refresh, 50);
}

function progress(row, e) {
  const { done, total } = e.progress, bar = row.querySelector('progress');
  if (!bar) return;
  row.querySelector('[data-text]').textContent = e.message;
  if (e.state !== 'building') return;
  bar.value = done;
  const quarter = Math.floor(4 * done / total);
  if (quarter > (quarters[e.id] || 0) && quarter < 4) $('say').textContent = `Export ${e.id}: ${25 * quarter} %`;
  quarters[e.id] = quarter;
}

async function refresh(hard = live === 'reload') {
  pending = 0;
  if (hard) return location.reload();
  const turn = ++swaps, news = ready;
  let answer, text;
  try {
    answer = await fetch(location.pathname + (news ? `?ready=${news}` : ''), { headers: { 'X-Fragment': '1' } });
    text = await answer.text();
  } catch {
    return pending ||= setTimeout(refresh, 2000);
  }
  if (turn !== swaps) return;
  if (news === ready) ready = 0;
  try {
    if (!answer.ok) throw answer;
    swap(new DOMParser().parseFromString(text, 'text/html'), news);
    open.delete(`export-${news}`);
    note();
  } catch {
    location.reload();
  }
}

// An open export that is now ready is news.
function note() {
  for (const { id, dataset: { state } } of rows())
    if (/scheduled|queued|building/.test(state)) open.add(id);
    else if (open.delete(id) && state === 'ready') ready = id.slice(7);
  sessionStorage.open = [...open];
  if (ready) refresh(false);
}

function swap(page, news) {
  const told = $('told');
  if (news) document.title = page.title;
  if (told && (news || !told.querySelector(page.querySelector('.hint') ? '.flash' : 'a'))) told.replaceWith(page.getElementById('told'));
  const fresh = [...page.querySelectorAll('[data-row]')];
  if (!fresh.some((row) => $(row.id))) return $('list').replaceWith(page.getElementById('list'));
  for (const part of page.querySelectorAll('[data-part]')) {
    replace(document.querySelector(`[data-part=${part.dataset.part}]`), part);
  }
  for (const row of rows()) if (!page.getElementById(row.id)) row.remove();
  fresh.forEach((row, i) => {
    const old = $(row.id);
    if (!old) i ? rows()[i - 1].after(row) : rows()[0].before(row);
    else if (old.outerHTML !== row.outerHTML) replace(old, row);
  });
}

// Keeps the focus.
function replace(old, row) {
  const at = [...old.querySelectorAll('a, button')].indexOf(document.activeElement);
  old.replaceWith(row);
  const now = row.querySelectorAll('a, button');
  if (at >= 0) now[Math.min(at, now.length - 1)].focus({ preventScroll: true });
}

function stream() {
  source = new EventSource(address('/exports/events', ''));
  source.onopen = () => { streamed = true; errors = 0; };
  source.onmessage = (m) => apply(JSON.parse(m.data));
  source.onerror = () => {
    if (++errors < 2 && source.readyState !== 2) return; // it tries again
    source.close();
    poll();
  };
}

async function poll() {
  clearTimeout(timer);
  const { signal } = request = new AbortController();
  try {
    const answer = await fetch(address('/exports', tries ? '' : '&wait=25'), { headers: { Accept: 'application/json' }, signal });
    if (!answer.ok) throw answer;
    apply(await answer.json());
    if (streamed) stream();
    else timer = setTimeout(poll, 250);
  } catch {
    if (!signal.aborted) countdown(Math.ceil(Math.min(30, 2 ** tries++) * (0.75 + Math.random() / 2)));
  }
}

function countdown(seconds) {
  if (seconds < 1) return poll();
  $('lost').firstElementChild.textContent = `Connection lost – retrying in ${seconds} s · `;
  $('lost').hidden = false;
  timer = setTimeout(countdown, 1000, seconds - 1);
}

function stop() {
  source?.close();
  request?.abort();
  clearTimeout(timer);
}

// A hidden page sends no requests.
function look() {
  stop();
  if (document.hidden) return;
  document.title = usual;
  stream();
}

$('lost').querySelector('button').onclick = poll;
addEventListener('pagehide', stop);
document.addEventListener('visibilitychange', look);
look();
// Screen readers read a status only if it changes.
setTimeout(() => $('told')?.replaceWith($('told').cloneNode(true)), 200);
note();
