// One room on the screen: what happens in it goes in, what the person asks for goes to the session.

import { HeldError } from '../errors.js';
import { LINES, say, T } from '../text.js';
import { createComposer } from './composer.js';
import { button, h, whoIs } from './dom.js';
import { createDrawer } from './drawer.js';
import { createLog } from './log.js';
import {
  copyButton,
  openAbout,
  openAddress,
  openLeave,
  openNick,
  openShare,
  openVerify,
} from './panel.js';
import { createRoster } from './roster.js';
import {
  already,
  describe,
  everybody,
  explain,
  Log,
  line,
  MAX_ROWS,
  readers,
  toRow,
} from './rows.js';

/** @import { Order } from './command.js' */
/** @import { Row } from './rows.js' */

// No frame is drawn of a hidden page, but its title counts.
const HIDDEN_MS = 250;
const CLOCK_MS = 500;

/**
 * @param {any} session @param {string} url of the room @param {import('./frames.js').Wire} wire
 * @param {{ now: () => number, leave: () => void, wipe: () => void, again: () => void }} deeds
 */
export function createRoom(session, url, wire, { now, leave, wipe, again }) {
  const model = new Log();
  /** @type {Row[]} */
  let fresh = [];
  let unread = 0;
  let isDue = false;
  let isCut = false;
  // Whether the words that the person has seen are still the same; true before that.
  let wordsStand = true;
  let showWords = /** @type {null | (() => void)} */ (null);
  let opener = /** @type {HTMLElement | null} */ (null);

  const log = createLog(model, decide, openAddress);
  const roster = createRoster();
  const drawer = createDrawer(wire, () => toggle(''));
  const composer = createComposer(obey, log.turn);
  const me = button('', () => openNick(myself().nick ?? '', rename));
  me.title = T.nick;
  const state = h('span');
  const retry = button(T.retryNow, () => session.retryNow(), 'quiet');
  const status = h('p', { class: 'state' }, h('i'), state, retry);
  const share = () => openShare(url);
  const lonely = h('h2');
  const ways = h('p', { class: 'deeds' }, copyButton(url), button(T.code, share));
  const alone = h('div', { class: 'alone' }, lonely, h('p', {}, T.aloneWhy), ways);
  log.node.append(alone);
  const people = button('', () => toggle('rail', people), 'people');
  const verify = button(T.verify, lookAtWords);
  const relay = button(both(T.relayTitle, T.relay), () => toggle('drawer', relay));
  const about = button(both(T.aboutTitle, T.about), openAbout);
  const going = button(T.leave, () => openLeave(model.waiting.length, leave, wipe));
  const toolbar = h('nav', { 'aria-label': T.menu }, people, button(T.share, share), verify);
  toolbar.append(relay, about, going);
  const bar = h('header', { class: 'bar' }, h('p', { class: 'me' }, me), status, toolbar);
  const talk = h('main', {}, log.node, composer.node);
  const shut = button(T.close, () => toggle(''), 'close quiet');
  const rail = h('aside', { class: 'rail', 'aria-label': T.people }, shut, roster.node);
  const node = h('div', { class: 'room', keydown: shy, click: shy }, bar, rail, talk, drawer.node);
  const ticking = setInterval(schedule, CLOCK_MS);
  document.addEventListener('visibilitychange', schedule);

  const myself = () =>
    session.members.find((/** @type {any} */ { me }) => me) ?? { tag: session.tag, nick: null };

  /** @param {Row | null} row */
  function add(row) {
    schedule();
    if (!row) return;
    model.add(row);
    fresh.push(row);
    if (fresh.length > MAX_ROWS) fresh.shift();
    if (row.who && document.hidden) unread++;
  }

  /** At most once per frame, whatever comes. */
  function schedule() {
    if (isDue) return;
    isDue = true;
    if (document.hidden) setTimeout(update, HIDDEN_MS);
    else requestAnimationFrame(update);
  }

  function update() {
    isDue = false;
    if (!node.isConnected) return;
    const { members } = session;
    const { tag, nick } = myself();
    if (me.dataset.name !== `${tag} ${nick}`)
      me.replaceChildren(whoIs({ tag, nick }, nick ? '' : T.noNick, true));
    me.dataset.name = `${tag} ${nick}`;
    state.textContent = describe(session.state, now());
    status.dataset.status = session.state.status;
    retry.hidden = session.state.status !== 'reconnecting';
    people.textContent = say(T.here, { count: members.length });
    verify.textContent = wordsStand ? T.verify : T.newWords;
    verify.classList.toggle('quiet', !wordsStand);
    alone.hidden =
      members.length > 1 || model.waiting.length > 0 || model.rows.some(({ who }) => who);
    if (!document.hidden) unread = 0;
    document.title = unread ? `(${unread}) ${T.title}` : T.title;
    roster.update(members);
    log.update(fresh);
    fresh = [];
    if (node.dataset.open === 'drawer' && drawer.update()) schedule();
  }

  /** @param {'rail' | 'drawer' | ''} name @param {HTMLElement} [from] */
  function toggle(name, from) {
    const open = node.dataset.open === name ? '' : name;
    node.dataset.open = open;
    relay.setAttribute('aria-expanded', `${open === 'drawer'}`);
    people.setAttribute('aria-expanded', `${open === 'rail'}`);
    // On narrow screens it lies over the rest.
    bar.inert = talk.inert = open !== '' && matchMedia('(max-width: 52rem)').matches;
    opener = from ?? opener;
    (open === 'drawer' ? drawer.title : open ? shut : opener)?.focus();
    schedule();
  }

  /** Close what is open, by Escape or a click beside it. @param {MouseEvent & KeyboardEvent} event */
  function shy({ key, target }) {
    if (node.dataset.open && (key === 'Escape' || target === node)) toggle('');
  }

  function lookAtWords() {
    wordsStand = true;
    showWords = openVerify(session);
    schedule();
  }

  /** @param {any} event */
  function happened(event) {
    if (event.type === 'delivered') model.delivered(event);
    else if (event.type === 'state') connected(event.state.status);
    else if (event.type === 'epoch_changed') wordsStand = showWords === null;
    if (/^(epoch|joined|left|back|nick)/.test(event.type)) showWords?.();
    add(toRow(event, Date.now()));
  }

  /** @param {string} status */
  function connected(status) {
    if (status === 'reconnecting' && !isCut) add(line(LINES.lost));
    if (status === 'connected' && isCut) add(line(LINES.found, { who: myself() }));
    isCut = status === 'reconnecting' || (isCut && status !== 'connected');
    if (status !== 'closed') return;
    const why = h(
      'p',
      { class: 'hint', role: 'alert' },
      say(T.ended, { why: explain(session.error) }),
    );
    composer.node.replaceChildren(why, button(T.enterAgain, again, 'main'));
  }

  /** @param {Order} order */
  function obey(order) {
    if (order.type === 'say') return tell(order.text, true);
    if (order.type === 'nick') return rename(order.nick).then(composer.complain);
    if (order.type === 'who') return add(everybody(session.members));
    if (order.type === 'verify') return lookAtWords();
    if (order.type === 'help') for (const each of T.help) add(line(each));
    if (order.type === 'leave') return leave();
    const held = model.waiting.filter(({ progress }) => progress === 'held');
    for (const row of held) decide(row, order.type === 'send');
  }

  /** What becomes of a text that did not go out. @param {Row} row @param {boolean} again */
  function decide(row, again) {
    model.drop(row);
    if (again) tell(row.text, row.progress !== 'held');
    composer.input.focus();
    schedule();
  }

  /** Strictly: ask before it goes to somebody who came after it (R24). @param {string} text @param {boolean} strict */
  async function tell(text, strict) {
    const row = model.say(myself(), text, Date.now());
    log.toNewest();
    schedule();
    try {
      model.ordered(row, await session.send(text, { strict }), readers(session.members));
    } catch (error) {
      Object.assign(row, {
        progress: error instanceof HeldError ? 'held' : 'failed',
        why: explain(error),
      });
    }
    schedule();
  }

  /** Return why not. @param {string} nick */
  async function rename(nick) {
    try {
      await session.setNick(nick);
      add(line(LINES.renamed, { who: { ...myself(), nick } }));
      return '';
    } catch (error) {
      return say(T.nickStays, { why: explain(error) });
    }
  }

  function begin() {
    lonely.textContent = session.first ? T.first : T.alone;
    add(line(T.welcome));
    add(line(LINES.me, { who: myself() }));
    add(already(session.members));
    if (matchMedia('(pointer: fine)').matches) composer.input.focus();
  }

  function end() {
    clearInterval(ticking);
    document.removeEventListener('visibilitychange', schedule);
  }

  return { node, happened, begin, end, schedule };
}

/** A label for wide screens and one for narrow. @param {string} wide @param {string} slim */
const both = (wide, slim) =>
  h('span', {}, h('span', { class: 'wide' }, wide), h('span', { class: 'slim' }, slim));
