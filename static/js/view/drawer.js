// What the relay sees: each frame as it goes, open bytes lit, sealed ones as the noise that they are.

import { hex } from '../bytes.js';
import { say, T } from '../text.js';
import { button, h } from './dom.js';
import { MAX_FRAMES } from './frames.js';
import { clock } from './log.js';

/** @import { Seen, Wire } from './frames.js' */

// Bytes in a row; and so many frames are drawn at once, the others at the next turn.
const ACROSS = 64;
const AT_ONCE = 24;
const HEX_BYTES = 256;

/** @param {Wire} wire @param {() => void} close */
export function createDrawer(wire, close) {
  const totals = h('p');
  const list = h('ol');
  const title = h('h2', { id: 'relay', tabindex: -1 }, T.relayTitle);
  const key = h('p', { class: 'key' }, h('i', { class: 'lamp' }), T.opened, h('i'), T.sealed);
  const node = h(
    'aside',
    { class: 'drawer', 'aria-labelledby': 'relay' },
    button(T.close, close, 'close quiet'),
    title,
    key,
    totals,
    list,
  );
  let shown = 0;

  /** Draw what is new; return whether some is left. */
  function update() {
    totals.textContent = say(T.totals, {
      count: wire.count.toLocaleString(),
      size: sizeOf(wire.size),
    });
    const fresh = wire.frames.slice(
      wire.frames.length - Math.min(wire.count - shown, wire.frames.length),
    );
    list.prepend(...fresh.slice(0, AT_ONCE).map(draw).reverse());
    shown = wire.count - Math.max(0, fresh.length - AT_ONCE);
    while (list.children.length > MAX_FRAMES) list.lastElementChild?.remove();
    return shown < wire.count;
  }

  return { node, title, update };
}

/** @param {number} bytes */
const sizeOf = (bytes) =>
  say(bytes < 10_000 ? T.size : T.bigSize, {
    count: (bytes < 10_000 ? bytes : bytes / 1000).toFixed(),
  });

/** @param {Seen} seen */
function draw(seen) {
  const { direction, kind, tag, seq, fence, size, text, bytes } = seen;
  const facts = [
    tag,
    seq !== null && say(T.seq, { seq }),
    fence !== null && say(T.fence, { fence }),
  ];
  const bar = h('i', { class: 'size' });
  bar.style.setProperty('--share', `${Math.min(100, Math.log2(size / 16) * 8)}%`);
  const item = h(
    'li',
    { class: direction },
    h(
      'p',
      {},
      h('b', {}, kind),
      h('span', { class: 'unseen' }, T[direction]),
      ` ${facts.filter(Boolean).join(' · ')}`,
    ),
    h('p', {}, sizeOf(size), ' ', clock(seen.at, 8)),
    bar,
  );
  if (text !== null) item.append(h('pre', {}, text));
  if (!bytes) return item;
  const details = h(
    'details',
    {},
    h('summary', { 'aria-label': `${kind}, ${sizeOf(size)}` }, texture(seen, bytes)),
  );
  details.addEventListener('toggle', () => details.append(spelt(seen, bytes)), { once: true });
  item.append(details);
  return item;
}

/** @param {Seen} seen @param {Uint8Array} bytes */
function texture({ open }, bytes) {
  const canvas = h('canvas', { width: ACROSS, height: Math.ceil(bytes.length / ACROSS) });
  const context = canvas.getContext('2d');
  const image = new ImageData(canvas.width, canvas.height);
  bytes.forEach((byte, at) => {
    image.data.set(at < open ? [224, 142, 38, 110 + byte * 0.57] : [128, 128, 134, byte], 4 * at);
  });
  context?.putImageData(image, 0, 0);
  return canvas;
}

/** @param {Seen} seen @param {Uint8Array} bytes */
function spelt({ open, size }, bytes) {
  const spell = (from = 0, to = 0) => hex(bytes.subarray(from, to)).replace(/../g, '$& ');
  return h(
    'pre',
    {},
    h('b', {}, spell(0, open)),
    spell(open, HEX_BYTES),
    size > HEX_BYTES ? '…' : '',
  );
}
