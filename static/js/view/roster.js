// Who is here; those whom nobody has heard stand apart.

import { say, T } from '../text.js';
import { h, whoIs } from './dom.js';
import { condition } from './rows.js';

/** @import { Member } from '../roster.js' */

/** Ourselves first, then by tag. @param {Member[]} members */
export const inOrder = (members) =>
  [...members].sort((a, b) => Number(b.me) - Number(a.me) || Number(a.tag) - Number(b.tag));

export function createRoster() {
  const title = h('h2');
  const here = h('ul');
  const unheard = h('ul');
  const apart = h('section', {}, h('h3', {}, T.unheard), h('p', {}, T.unheardWhy), unheard);
  const node = h('div', { class: 'roster' }, title, here, apart);
  let last = '';

  /** @param {Member[]} members */
  function update(members) {
    const now = JSON.stringify(members);
    if (now === last) return;
    last = now;
    title.textContent = say(T.here, { count: members.length });
    const sorted = inOrder(members);
    const known = (/** @type {Member} */ { me, heard }) => me || heard;
    here.replaceChildren(...sorted.filter(known).map(item));
    unheard.replaceChildren(...sorted.filter((member) => !known(member)).map(item));
    apart.hidden = !unheard.firstChild;
  }

  return { node, update };
}

/** @param {Member} member */
function item(member) {
  const words = condition(member);
  const beside = member.me ? T.you : words.replace(T.notHeard, '');
  return h('li', { class: words && 'absent' }, whoIs(member, beside, true));
}
