// The conversation: rows become elements, once per animation frame, and go when their rows go.

import { say, T } from '../text.js';
import { button, h, whoIs } from './dom.js';
import { clean, cleanNick, linkify } from './plain.js';
import { goesOn, MAX_ROWS, progressOf } from './rows.js';

/** @import { Log, Part, Row } from './rows.js' */

// Whoever is that near to the newest wants to stay there.
const NEAR_PX = 48;

/**
 * @param {Log} model @param {(row: Row, again: boolean) => void} decide what becomes of an unsent one
 * @param {(url: string) => void} follow
 */
export function createLog(model, decide, follow) {
  const list = h('ol', { click: reached, keydown: reached });
  // Announced below instead: a single row in words, of a flood the number.
  const silent = { role: 'log', 'aria-live': 'off', 'aria-label': T.log };
  const scroller = h('div', { class: 'log', tabindex: 0, ...silent, scroll: scrolled }, list);
  const live = h('p', { class: 'unseen', role: 'status' });
  const jump = button(T.newest, toNewest, 'jump');
  const node = h('div', { class: 'conversation' }, scroller, jump, live);
  /** @type {Map<Row, { element: HTMLElement, progress: HTMLElement }>} */
  const drawn = new Map();
  let stuck = true;
  let below = 0;
  new ResizeObserver(() => stuck && toNewest()).observe(scroller);

  function scrolled() {
    stuck = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_PX;
    showJump();
  }

  function toNewest() {
    scroller.scrollTop = scroller.scrollHeight;
    stuck = true;
    showJump();
  }

  /** @param {number} pages back where negative */
  function turn(pages) {
    scroller.scrollBy(0, 0.9 * pages * scroller.clientHeight);
  }

  function showJump() {
    if (stuck) below = 0;
    jump.hidden = stuck;
    jump.textContent = below ? say(T.newestOf, { count: below }) : T.newest;
  }

  /** Bring the document up to the rows. @param {Row[]} fresh what is new since the last time */
  function update(fresh) {
    const rows = [...model.rows, ...model.waiting].slice(-MAX_ROWS);
    const wanted = new Set(rows);
    for (const [row, { element }] of drawn) {
      if (wanted.has(row)) continue;
      element.remove();
      drawn.delete(row);
    }
    let next = list.firstElementChild;
    rows.forEach((row, at) => {
      const found = drawn.get(row) ?? draw(row);
      drawn.set(row, found);
      found.element.classList.toggle('on', goesOn(row, rows[at - 1]));
      if (row.progress) showProgress(row, found.progress);
      if (found.element === next) next = next.nextElementSibling;
      else list.insertBefore(found.element, next);
    });
    const heard = fresh.filter(({ who }) => who).length;
    below += heard;
    if (stuck) toNewest();
    else showJump();
    if (fresh.length === 1) live.textContent = spoken(fresh[0]);
    else if (heard) live.textContent = say(T.several, { count: heard });
  }

  /** @param {Row} row @param {HTMLElement} progress */
  function showProgress(row, progress) {
    const words = progressOf(row);
    if (progress.dataset.words === words) return;
    progress.dataset.words = words;
    progress.replaceChildren(words);
    if (row.progress !== 'failed' && row.progress !== 'held') return;
    live.textContent = words;
    const again = row.progress === 'held' ? T.sendHeld : T.retry;
    progress.append(
      button(again, () => decide(row, true)),
      button(T.drop, () => decide(row, false)),
    );
  }

  /** @param {MouseEvent & KeyboardEvent} event */
  function reached(event) {
    const found = /** @type {Element} */ (event.target).closest('.url');
    if (!found || (event.type === 'keydown' && !/^( |Enter)$/.test(event.key))) return;
    event.preventDefault();
    follow(found.textContent ?? '');
  }

  return { node, update, toNewest, turn };
}

/** @param {Row} row */
function draw(row) {
  const progress = h('span', { class: 'progress' });
  if (!row.who) {
    const parts = row.parts.map((part) => (typeof part === 'object' ? whoIs(part) : `${part}`));
    return {
      progress,
      element: h('li', { class: row.grave ? 'line grave' : 'line' }, h('p', {}, ...parts)),
    };
  }
  const words = linkify(clean(row.text)).map((part) =>
    typeof part === 'string'
      ? part
      : h('a', { class: 'url', role: 'button', tabindex: 0 }, part.url),
  );
  const meta = h(
    'p',
    { class: 'meta' },
    progress,
    h('i', {}, row.late ? T.late : ''),
    clock(row.at),
  );
  const head = h('p', { class: 'head' }, whoIs(row.who, row.progress ? T.you : '', true));
  const text = h('p', { class: 'text', dir: 'auto' }, ...words);
  return {
    progress,
    element: h('li', { class: row.progress ? 'said own' : 'said' }, head, text, meta),
  };
}

/** @param {number} at @param {number} [chars] 5: to the minute, 8: to the second */
export const clock = (at, chars = 5) => h('time', {}, new Date(at).toTimeString().slice(0, chars));

/** @param {Row} row */
function spoken({ who, text, parts }) {
  const name = (/** @type {Part} */ part) =>
    typeof part === 'object' ? `${part.tag} ${cleanNick(part.nick)}` : part;
  return who ? `${name(who)}: ${clean(text)}` : parts.map(name).join('');
}
