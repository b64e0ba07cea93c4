'use strict';
// Updates the part "In this server right now" while the page is visible. Without
// scripts the page reloads and has a link.
async function look() {
  if (!document.hidden) {
    try {
      const answer = await fetch('/problem', { headers: { Accept: 'text/html' } });
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const now = document.getElementById('now'), then = page.getElementById('now');
      if (then && now.innerHTML !== then.innerHTML) now.replaceWith(then);
    } catch { /* try again in 500 ms */ }
  }
  setTimeout(look, 500);
}
look();
