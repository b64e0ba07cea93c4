// Counts down the seconds until each scheduled export is due.
'use strict';

const counted = new WeakMap();

function count() {
  for (const left of document.querySelectorAll('[data-left]')) {
    if (!counted.has(left)) counted.set(left, performance.now() + 1000 * left.dataset.left);
    left.textContent = `${Math.max(0, Math.ceil((counted.get(left) - performance.now()) / 1000))} s`;
  }
}

setInterval(count, 250);
