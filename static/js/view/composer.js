// The line being typed: what cannot be sent stays in it, with the reason beside it.

import { MAX_TEXT_CHARS } from '../content.js';
import { say, T } from '../text.js';
import { read } from './command.js';
import { h } from './dom.js';
import { points } from './plain.js';
import { explain } from './rows.js';

/** @import { Order } from './command.js' */

// So near to the limit it is said how long the text is.
const NEAR_CHARS = 100;

/**
 * @param {(order: Order) => void} obey
 * @param {(pages: number) => void} turn where there is nothing to turn over in the text itself
 */
export function createComposer(obey, turn) {
  const hint = h('p', { class: 'hint', role: 'alert' });
  const count = h('p', { class: 'count' });
  const input = h('textarea', {
    ...{ rows: 1, placeholder: T.placeholder, 'aria-label': T.message, enterkeyhint: 'send' },
    // Neither kept by the browser nor sent to a service that checks or completes it.
    ...{ autocomplete: 'off', spellcheck: 'false', writingsuggestions: 'false' },
    ...{ input: typed, keydown: pressed },
  });
  const go = h('button', { class: 'main' }, T.send);
  const node = h('form', { class: 'composer', submit }, hint, input, go, count);

  function typed() {
    const length = points(input.value);
    complain('');
    const isNear = length > MAX_TEXT_CHARS - NEAR_CHARS;
    count.textContent = isNear ? say(T.count, { count: length, most: MAX_TEXT_CHARS }) : '';
    count.classList.toggle('grave', length > MAX_TEXT_CHARS);
    // Where the browser does not fit it to its text.
    if (CSS.supports('field-sizing', 'content')) return;
    input.style.setProperty('height', 'auto');
    input.style.setProperty('height', `${input.scrollHeight + 2}px`);
  }

  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    input.focus();
    try {
      const order = read(input.value);
      input.value = '';
      typed();
      if (order) obey(order);
    } catch (error) {
      complain(explain(error));
    }
  }

  /** @param {string} text */
  function complain(text) {
    hint.textContent = text;
  }

  /** @param {KeyboardEvent} event */
  function pressed(event) {
    // The Enter that ends a composition is the input method's; Safari says so by 229 alone.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === 'Enter' && !event.shiftKey) submit(event);
    const pages = event.key === 'PageUp' ? -1 : event.key === 'PageDown' ? 1 : 0;
    if (!pages || input.scrollHeight > input.clientHeight) return;
    event.preventDefault();
    turn(pages);
  }

  return { node, input, complain };
}
