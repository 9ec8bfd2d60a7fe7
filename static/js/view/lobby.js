// Before and after a room: open one, paste a link, or hear why that cannot be.

import { fill, T } from '../text.js';
import { button, h, sign } from './dom.js';
import { openAbout } from './panel.js';

// b, e, a, c in bits: the sign of the whole.
const BEACON = '0xbeac';

/** @param {...(Node | string)} content */
const screen = (...content) =>
  h('main', { class: 'lobby', tabindex: -1 }, sign(BEACON), h('h1', {}, T.title), ...content);

/** @param {string | Node} text @param {...Node} deeds */
export const plain = (text, ...deeds) =>
  screen(h('p', { class: 'lead', role: 'alert' }, text), h('p', { class: 'deeds' }, ...deeds));

/**
 * @param {string} relay @param {string | Node} told what happened before
 * @param {() => void} create @param {(text: string) => string} enter returns why not
 */
export function createLobby(relay, told, create, enter) {
  const why = h('p', { class: 'hint', role: 'alert' });
  const field = h('input', {
    ...{ id: 'link', placeholder: `${relay}/#…`, autocomplete: 'off', autocapitalize: 'none' },
    ...{ spellcheck: 'false', inputmode: 'url', enterkeyhint: 'go' },
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    why.textContent = field.value.trim() && enter(field.value);
  };
  return screen(
    h('p', { class: 'lead' }, T.lead),
    h('p', { class: 'told', role: 'status' }, told),
    button(T.open, create, 'main'),
    h(
      'form',
      { submit },
      h('label', { for: 'link' }, T.paste),
      field,
      h('button', {}, T.enter),
      why,
    ),
    h('ul', { class: 'facts' }, ...T.facts.map((fact) => h('li', {}, fact))),
    h(
      'footer',
      {},
      h('span', {}, ...fill(T.relayIs, { relay: h('code', {}, relay) })),
      button(T.aboutTitle, openAbout, 'quiet'),
    ),
  );
}
