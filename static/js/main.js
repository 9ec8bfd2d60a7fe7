// The page: lobby, one stay in one room, and out. All of it lives in this document and goes with it.

import { LinkError } from './errors.js';
import { createLink, parseLink } from './link.js';
import * as theSession from './session.js';
import { fill, say, T } from './text.js';
import { button, h } from './view/dom.js';
import { toSeen, Wire } from './view/frames.js';
import { createLobby, plain } from './view/lobby.js';
import { createRoom } from './view/room.js';
import { explain } from './view/rows.js';

/** @import { Link } from './link.js' */
/** @typedef {{ session: any, link: Link, end: () => void }} Stay */

// Esc twice within so long forgets everything.
const PANIC_MS = 1000;

/**
 * Begin, with the fragment that stood in the address bar; tests bring a session of their own.
 * @param {{ fragment?: string, openRoom?: any, now?: () => number }} given
 */
export async function start({
  fragment = '',
  openRoom = theSession.openRoom,
  now = theSession.now,
}) {
  const meta = /** @type {HTMLMetaElement | null} */ (
    document.querySelector('meta[name=beacon-relay]')
  );
  const relay = new URL(meta?.content || location.origin).origin;
  let stay = /** @type {Stay | null} */ (null);

  /** @param {HTMLElement} node */
  function show(node) {
    document.body.replaceChildren(node);
    document.title = T.title;
    node.focus();
  }

  /** @param {string | Node} [told] */
  const lobby = (told = '') =>
    show(createLobby(relay, told, () => enter(createLink(relay)), follow));

  /** The stay is over, and nothing of it is left. @param {boolean} [keepLink] */
  function forget(keepLink = false) {
    const { session, link, end } = stay ?? {};
    stay = null;
    document.body.replaceChildren();
    end?.();
    session?.forget();
    if (!keepLink) link?.secret.fill(0);
  }

  async function leave() {
    const { session, link, end } = stay ?? {};
    stay = null;
    lobby(T.left);
    end?.();
    await session?.leave();
    link?.secret.fill(0);
  }

  function panic() {
    forget();
    location.replace('about:blank');
  }

  /** Enter by a link as it was pasted; return why not. @param {string} text */
  function follow(text) {
    try {
      const link = parseLink(text);
      if (link.relay === relay) enter(link);
      else elsewhere(link);
      return '';
    } catch (error) {
      if (error instanceof LinkError) return error.message;
      throw error;
    }
  }

  /** @param {Link} link */
  function elsewhere(link) {
    const there = h('a', { href: link.toUrl(), rel: 'noopener noreferrer' }, link.host);
    const [theirs, ours] = [link.relay, relay].map((each) => h('b', {}, each));
    lobby(h('span', {}, ...fill(T.otherRelay, { relay: theirs, ours, there })));
  }

  /** @param {Link} link */
  async function enter(link) {
    const wire = new Wire();
    const session = openRoom(link, {
      onEvent: (/** @type {any} */ event) => stay === mine && room.happened(event),
      onFrame: (/** @type {'in' | 'out'} */ direction, /** @type {string | Uint8Array} */ data) => {
        if (stay !== mine) return;
        wire.add(toSeen(direction, data, Date.now()));
        room.schedule();
      },
    });
    const again = () => {
      forget(true);
      enter(link);
    };
    const room = createRoom(session, link.toUrl(), wire, { now, leave, wipe: panic, again });
    const mine = { session, link, end: room.end };
    stay = mine;
    show(plain(T.entering, button(T.cancel, leave)));
    try {
      await session.enter();
      if (stay !== mine) return;
      show(room.node);
      room.begin();
    } catch (error) {
      if (stay !== mine) return;
      forget(true);
      const deeds = [button(T.again, again, 'main'), button(T.cancel, () => lobby())];
      show(plain(say(T.notEntered, { why: explain(error) }), ...deeds));
    }
  }

  /** @param {string} secret what stood behind the address, with its # */
  function begin(secret) {
    lobby();
    const why = secret.length > 1 && follow(`${relay}/${secret}`);
    if (why) lobby(why);
  }

  const why = await unfit();
  if (why) return show(plain(why));
  let escapedAt = Number.NEGATIVE_INFINITY;
  window.addEventListener(
    'keydown',
    ({ key, isComposing, repeat, timeStamp }) => {
      if (key !== 'Escape' || isComposing || repeat) return;
      if (timeStamp - escapedAt < PANIC_MS) panic();
      escapedAt = timeStamp;
    },
    true,
  );
  // Firefox has closed the connections by the time of `pagehide`: nothing could say goodbye then.
  window.addEventListener('beforeunload', () => {
    if (!stay) return;
    forget();
    lobby(T.left);
  });
  window.addEventListener('pagehide', () => forget());
  window.addEventListener('pageshow', ({ persisted }) => persisted && lobby());
  // A link put into the address bar of an open page: another room, and the old one is left.
  window.addEventListener('hashchange', () => {
    const secret = location.hash;
    history.replaceState(null, '', location.pathname + location.search);
    leave();
    begin(secret);
  });
  // Safari's keyboard covers the page; elsewhere it shrinks it (viewport, in index.html).
  window.visualViewport?.addEventListener('resize', () => {
    const { scale, height } = /** @type {VisualViewport} */ (window.visualViewport);
    if (scale !== 1) return;
    document.documentElement.style.setProperty('--height', `${height}px`);
    window.scrollTo(0, 0);
  });
  begin(fragment);
}

/** Why this page cannot work here, or nothing; there is no weaker mode. */
async function unfit() {
  if (!window.isSecureContext) return T.insecure;
  const { subtle } = crypto;
  const made = [
    subtle.generateKey('X25519', false, ['deriveBits']),
    subtle.generateKey('Ed25519', false, ['sign']),
  ];
  return Promise.all(made).then(
    () => '',
    () => T.oldBrowser,
  );
}
