// A room without a relay: the session's interface, moved by a script instead of frames. For looking
// at the page and for tests of it; never served.

import { HeldError, RefusedError } from '../../static/js/errors.js';

const WORDS = [
  'panda',
  'bold',
  'glossy',
  'linen',
  'sawdust',
  'zenith',
  'amber',
  'kettle',
  'orbit',
  'maple',
  'quiet',
  'river',
];
const LIFE = 'qCoV22FdhPY';

export const now = () => performance.now() / 1000;

/** @param {number} length */
const noise = (length) => crypto.getRandomValues(new Uint8Array(length));

/** Returns `openRoom`, and `room` with the script's hand on it once it was called. */
export function createFake({ delay = 0, refuse = '', others = true } = {}) {
  /** @type {any} */
  const fake = { room: null, held: false, failing: '', mute: false };
  const wait = () => new Promise((resolve) => setTimeout(resolve, delay));

  fake.openRoom = (/** @type {any} */ _link, /** @type {any} */ { onEvent, onFrame }) => {
    let seq = 40;
    let epoch = 7;
    const member = (/** @type {string} */ tag, /** @type {any} */ more = {}) => ({
      tag,
      nick: null,
      presence: 'present',
      me: false,
      heard: true,
      silent: false,
      ...more,
    });
    const room = {
      tag: '0x2fab',
      life: LIFE,
      first: !others,
      members: [member('0x2fab', { me: true, nick: 'ada' })],
      state: {
        status: 'connecting',
        nextRetryAt: /** @type {number | null} */ (null),
        transport: 'none',
        attempt: 0,
      },
      error: /** @type {Error | null} */ (null),
      forgotten: false,
      left: false,
      retries: 0,
      async enter() {
        room.frame(
          'in',
          '{"type":"challenge","v":1,"nonce":"JmS1pm8mKzO0d0kX3yqk8j0Zc8QwKpG0xqk3m1W9n0s"}',
        );
        room.frame(
          'out',
          '{"type":"hello","v":1,"room":"b3BlbiBzZXNhbWUhISEhIQ","access":"0G8lJx5s2hQvU3dVQnYl4y1cF2pX7mBz9wKq8tRr5no","signature":"…"}',
        );
        await wait();
        if (refuse) throw new RefusedError(refuse);
        room.frame(
          'in',
          '{"type":"welcome","life":"qCoV22FdhPY","tag":"0x2fab","seq":37,"fence":6}',
        );
        const info = noise(1400);
        info.set([0x12, 0, 0, 0, 0, 0, 0, 0, 6, 1]);
        room.frame('in', info);
        room.commit(true);
        room.frame(
          'in',
          '{"type":"joined","seq":39,"tag":"0x2fab","seats":["0x2fab","0x978d","0xc41e"],"away":[]}',
        );
        room.set({ status: 'connected', transport: 'websocket' });
      },
      async send(/** @type {string} */ text, { strict = false } = {}) {
        await wait();
        if (fake.mute) await new Promise(() => {});
        if (fake.failing) throw new RefusedError(fake.failing);
        if (fake.held && strict) throw new HeldError('somebody came in since');
        const place = { life: LIFE, seq: ++seq };
        const sealed = noise(17 + 284 + (text.length > 180 ? 256 : 0));
        sealed.set([1, ...noise(8), 0, 0, 0, 0, 0, 0, 0, epoch]);
        room.frame('out', sealed);
        const ack = noise(17);
        ack.set([0x13, ...noise(8), 0, 0, 0, 0, 0, 0, 0, seq]);
        room.frame('in', ack);
        return place;
      },
      async setNick(/** @type {string} */ nick) {
        room.members[0] = { ...room.members[0], nick };
      },
      retryNow: () => void room.retries++,
      async leave() {
        await wait();
        room.left = true;
      },
      forget: () => {
        room.forgotten = true;
      },
      words: async () =>
        WORDS.slice(0, 6).map((_, at) => WORDS[(at + 6 * (epoch - 7)) % WORDS.length]),
      memberWords: async (/** @type {string} */ tag) => [
        WORDS[Number(tag) % 12],
        WORDS[Number(tag) % 7],
      ],

      // The script's side.
      set: (/** @type {any} */ state) => {
        room.state = {
          status: 'connected',
          nextRetryAt: null,
          transport: 'none',
          attempt: 0,
          ...state,
        };
        onEvent({ type: 'state', state: room.state });
      },
      frame: (/** @type {string} */ direction, /** @type {any} */ data) =>
        onFrame?.(direction, data, now()),
      commit: (/** @type {boolean} */ mine = false) => {
        const data = noise(2068);
        data.set(
          mine
            ? [2, ...noise(8), 0, 0, 0, 0, 0, 0, 0, 6]
            : [0x11, 2, 0x97, 0x8d, 0, 0, 0, 0, 0, 0, 0, ++seq, 0, 0, 0, 0, 0, 0, 0, epoch],
        );
        room.frame(mine ? 'out' : 'in', data);
      },
      join: (/** @type {string} */ tag, /** @type {any} */ more = {}) => {
        room.members = [...room.members, member(tag, more)];
        room.commit();
        epoch++;
        onEvent({ type: 'joined', tag, nick: more.nick ?? null, life: LIFE, seq: ++seq });
        onEvent({ type: 'epoch_changed', epoch });
      },
      change: (/** @type {string} */ tag, /** @type {any} */ more) => {
        room.members = room.members.map((each) => (each.tag === tag ? { ...each, ...more } : each));
      },
      hear: (/** @type {string} */ sender, /** @type {string} */ text, late = false) => {
        const nick = room.members.find(({ tag }) => tag === sender)?.nick ?? null;
        const data = noise(304);
        data.set([
          0x11,
          1,
          Number(sender) >> 8,
          Number(sender) & 255,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          ++seq,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          epoch,
        ]);
        room.frame('in', data);
        onEvent({ type: 'message', sender, nick, text, life: LIFE, seq, late });
      },
      tell: (/** @type {any} */ event) =>
        onEvent({ life: LIFE, seq, nick: null, tag: null, ...event }),
      end: (/** @type {Error} */ error) => {
        room.error = error;
        room.set({ status: 'closed' });
      },
    };
    if (others)
      room.members.push(
        member('0x978d'),
        member('0xc41e', { nick: 'Grace H.', presence: 'away' }),
        member('0x7b02', { heard: false }),
      );
    fake.room = room;
    return room;
  };
  return fake;
}
