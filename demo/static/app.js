// Asks for every export that is not complete, about once a second. When one is,
// the page is loaded anew and shows it, as it would without a script.
'use strict';

const usual = 1000, longest = 30000;
const rows = [...document.querySelectorAll('[data-poll]')];
const lost = document.getElementById('lost');
let wait = usual;

async function ask(row) {
  const answer = await fetch(row.dataset.poll, {
    headers: { Accept: 'application/json' },
    signal: AbortSignal.timeout(10000),
  });
  if (answer.status === 404) return { complete: true }; // removed: the list will tell
  if (!answer.ok) throw new Error(answer.statusText);
  const now = await answer.json();
  show(row, now);
  return now;
}

function show(row, now) {
  row.dataset.state = now.state;
  row.querySelector('[data-label]').textContent = now.state[0].toUpperCase() + now.state.slice(1);
  row.querySelector('[data-text]').textContent = now.message;
  const bar = row.querySelector('progress');
  bar.max = now.progress.total || 1;
  if (now.state === 'queued') bar.removeAttribute('value');
  else bar.value = now.progress.done;
}

async function look() {
  try {
    const exports = await Promise.all(rows.map(ask));
    if (exports.some((e) => e.complete)) return location.reload();
    wait = usual;
    lost.hidden = true;
  } catch {
    wait = Math.min(wait * 2, longest);
    lost.hidden = false;
  }
  setTimeout(look, wait);
}

setTimeout(look, usual);
