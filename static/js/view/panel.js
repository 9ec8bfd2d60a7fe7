// What opens above the page and closes again: share, verify, about, leave, an address.

import { encode } from '../qr.js';
import { fill, say, T } from '../text.js';
import { button, drawing, h, whoIs } from './dom.js';
import { inOrder } from './roster.js';

// So long a button says that it has copied; then it can be asked again.
const COPIED_MS = 2000;

/** Removed when it closes. @param {string} title @param {...(Node | string)} content */
function open(title, ...content) {
  const heading = h('h2', { id: 'panel', tabindex: -1, autofocus: true }, title);
  const close = button(T.close, () => node.close(), 'close quiet');
  const node = h(
    'dialog',
    { 'aria-labelledby': 'panel', close: () => node.remove(), click: beside },
    heading,
    ...content,
    close,
  );
  /** @param {MouseEvent} event */
  function beside({ target, clientX: x, clientY: y }) {
    const { left, right, top, bottom } = node.getBoundingClientRect();
    if (target === node && (x < left || x > right || y < top || y > bottom)) node.close();
  }
  document.body.append(node);
  node.showModal();
  return node;
}

const deeds = (/** @type {Node[]} */ ...content) => h('p', { class: 'deeds' }, ...content);
const text = (/** @type {string} */ words) => h('p', {}, words);

/** @param {string} url @returns {HTMLButtonElement} */
export function copyButton(url) {
  const made = button(
    T.copy,
    async () => {
      const copied = navigator.clipboard.writeText(url).then(() => T.copied);
      made.textContent = await copied.catch(() => T.copyFailed);
      setTimeout(() => made.replaceChildren(T.copy), COPIED_MS);
    },
    'main',
  );
  made.setAttribute('aria-live', 'polite');
  return made;
}

/** @param {string} url */
export function openShare(url) {
  const { size, modules } = encode(url);
  let path = '';
  modules.forEach((dark, at) => {
    if (dark) path += `M${at % size} ${Math.floor(at / size)}h1v1h-1z`;
  });
  const code = drawing(`-4 -4 ${size + 8} ${size + 8}`, { dark: path });
  const link = h('input', {
    readonly: true,
    value: url,
    'aria-label': T.link,
    focus: () => link.select(),
  });
  const ways = [copyButton(url)];
  if ('share' in navigator)
    ways.push(button(T.shareBy, () => navigator.share({ url }).catch(() => {})));
  open(
    T.shareTitle,
    text(T.shareWhy),
    h('figure', { role: 'img', 'aria-label': T.code }, code),
    link,
    deeds(...ways),
  );
}

/** Returns what shows the words anew. @param {any} session */
export function openVerify(session) {
  const words = h('ol', { class: 'words' });
  const pairs = h('ul', { class: 'pairs' });
  const node = open(
    T.verifyTitle,
    words,
    text(T.verifyWhy),
    h('h3', {}, T.pairs),
    text(T.pairsWhy),
    pairs,
  );
  const show = async () => {
    if (!node.isConnected) return;
    /** @type {import('../roster.js').Member[]} */
    const members = inOrder(session.members);
    const asked = [session.words(), ...members.map(({ tag }) => session.memberWords(tag))];
    const [six, ...two] = await Promise.all(asked.map((each) => each.catch(() => [])));
    words.replaceChildren(...six.map((/** @type {string} */ word) => h('li', {}, word)));
    if (!six.length) words.replaceChildren(T.noWords);
    const pair = (/** @type {number} */ at) => h('b', {}, two[at]?.join(' ') ?? '');
    pairs.replaceChildren(
      ...members.map((member, at) =>
        h('li', {}, whoIs(member, member.me ? T.you : '', true), pair(at)),
      ),
    );
  };
  show();
  return show;
}

export function openAbout() {
  const host = h('b', {}, location.host);
  open(
    T.aboutTitle,
    ...T.aboutPage.map(([title, ...points]) =>
      h(
        'section',
        {},
        h('h3', {}, title),
        ...points.map((point) => h('p', {}, ...fill(point, { host }))),
      ),
    ),
  );
}

/** @param {string} nick @param {(nick: string) => Promise<string>} rename returns why not */
export function openNick(nick, rename) {
  const why = h('p', { class: 'hint', role: 'alert' });
  const field = h('input', {
    ...{ value: nick, 'aria-label': T.nick, autocomplete: 'off', spellcheck: 'false' },
    ...{ writingsuggestions: 'false', enterkeyhint: 'done' },
  });
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    why.textContent = await rename(field.value.trim());
    if (!why.textContent) node.close();
  };
  const form = h('form', { submit }, field, h('button', { class: 'main' }, T.takeNick), why);
  const node = open(T.nick, text(T.nickWhy), form);
  field.select();
}

/** @param {number} count of unsent ones @param {() => void} leave @param {() => void} wipe */
export function openLeave(count, leave, wipe) {
  const node = open(
    T.leaveTitle,
    text(count ? `${T.leaveWhy} ${say(T.unsent, { count })}` : T.leaveWhy),
    deeds(
      button(T.leave, leave, 'main'),
      button(T.stay, () => node.close()),
      button(T.wipe, wipe, 'grave'),
    ),
    text(T.wipeWhy),
  );
}

/** @param {string} found as it stands in a message */
export function openAddress(found) {
  const { protocol, host, href } = new URL(found);
  if (!/^https?:$/.test(protocol)) return;
  const away = { target: '_blank', rel: 'noopener noreferrer', href, click: () => node.close() };
  const node = open(
    T.address,
    h('p', {}, ...fill(T.addressWhy, { host: h('b', {}, host) })),
    h('pre', { dir: 'ltr' }, href),
    deeds(h('a', { class: 'main', ...away }, T.openAddress)),
  );
}
