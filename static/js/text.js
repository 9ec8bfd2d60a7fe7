// Every word that the page shows: a translation is another such catalogue. `{...}` is filled in by
// `fill`. What the terminal says too (client/cli/, client/event.py), it says in the same words.

export const T = {
  title: 'Beacon',
  lead: 'A chat for whoever has the link: end-to-end encrypted, anonymous, and gone when the last one leaves.',
  open: 'Open a new room',
  paste: 'Or paste a link',
  enter: 'Enter',
  facts: [
    'You are there under a random tag. No account, no name, no trail.',
    'The relay passes on sealed messages. It can neither read nor forge one.',
    'Reloading or closing the page is leaving. Nothing can be brought back.',
  ],
  relayIs: 'The relay is {relay}',
  otherRelay:
    'This link belongs to another relay, {relay}. This page talks to {ours} only and has sent nothing to the other. Open the link on the page of its own relay: {there}',
  insecure:
    'This page did not come over a secure connection, so the browser gives it no cryptography. Open it with https://, or on the machine that the relay runs on.',
  oldBrowser:
    'This browser lacks cryptography that Beacon needs (X25519 and Ed25519). Chrome and Edge have it from version 137 on, Firefox from 130, Safari from 17. There is no weaker mode.',
  fault: 'a fault of the page',
  left: 'You left. Nothing stays behind.',
  entering: 'Entering the room …',
  cancel: 'Cancel',
  notEntered: 'The room could not be entered: {why}.',
  again: 'Try again',
  ended: 'This stay is over: {why}.',
  enterAgain: 'Enter again',

  connecting: 'Connecting',
  connected: 'Connected',
  reconnecting: 'Reconnecting',
  reconnectingIn: 'Reconnecting in {seconds} s',
  closed: 'Closed',
  retryNow: 'Retry now',
  you: 'you',
  here: '{count} here',
  people: 'Who is here',
  unheard: 'Not heard yet',
  unheardWhy: 'They may not be here at all.',
  presence: { away: 'away', connecting: 'connecting', gone: 'gone' },
  notHeard: 'not heard yet',
  silent: 'silent',
  menu: 'Room',
  log: 'Messages',
  several: '{count} new messages',
  newest: 'Jump to newest',
  newestOf: '{count} new: jump to newest',
  first: 'You are the first here',
  alone: 'You are alone here',
  aloneWhy: 'Send the link to the people you want here.',

  welcome: 'Only those in the room can read what is said, and nothing is kept. Commands: /help',
  message: 'Message',
  placeholder: 'Message, or /help',
  send: 'Send',
  count: '{count} of {most}',
  late: 'late',
  pending: 'pending',
  ordered: 'on the relay',
  unread: 'on the relay; nobody else was here',
  delivered: 'delivered {count} of {of}',
  deliveredAll: 'delivered to all',
  failed: 'not sent: {why}',
  held: 'held back, for somebody joined meanwhile. Send to them too?',
  retry: 'Retry',
  sendHeld: 'Send',
  drop: 'Drop',
  noCommand: 'no such command: see /help; to say it, begin with //',
  nickStays: 'the nickname stays: {why}',
  nick: 'Your nickname',
  noNick: '+ nickname',
  nickWhy:
    'Only the people in this room learn it, and it goes when you leave. Anybody can take any name: the tag tells you apart.',
  takeNick: 'Use it',
  help: [
    '/who: who is here',
    '/verify: six words that must be the same for all here: compare them by voice',
    "/nick NAME: take a nickname; only the room's members learn it",
    '/send, /drop: say or forget what was held back because somebody joined meanwhile',
    '/leave: leave; nothing stays behind',
    '//text: say something that begins with a slash',
    'Shift+Enter: a new line in the message; Page Up, Page Down: read back',
    'Esc, Esc within a second: forget everything at once and blank the page',
  ],

  share: 'Share',
  shareTitle: 'Share the link',
  shareWhy:
    'Whoever has it can enter, and is seen by all. Its secret, behind the #, is sent to no relay: pass it on in a way that you trust.',
  link: 'The link of this room',
  copy: 'Copy link',
  copied: 'Copied',
  copyFailed: 'Select it and copy by hand',
  shareBy: 'Share by …',
  code: 'QR code',

  verify: 'Verify',
  newWords: 'New words',
  verifyTitle: 'Six words',
  verifyWhy:
    'Read them to each other, on a call or in person. If all have the same six in this order, all are in one room with the same keys, and nobody stands between you: neither the relay nor a stranger. They change as people come and go.',
  pairs: 'Two words for each',
  pairsWhy:
    'They belong to one member’s key. Once the six agree, they tell whose voice is behind which tag; alone they prove nothing.',
  noWords: 'There are no words at this moment.',

  relay: 'Relay',
  relayTitle: 'What the relay sees',
  opened: 'open to the relay',
  sealed: 'sealed: noise to it',
  totals: '{count} frames, {size}',
  in: 'from the relay',
  out: 'to the relay',
  seq: 'seq {seq}',
  fence: 'fence {fence}',
  size: '{count} B',
  bigSize: '{count} kB',

  about: 'About',
  aboutTitle: 'What this room protects',
  aboutPage: [
    [
      'Protected',
      'What is said, the nicknames, the link: only those in the room have them. Each message has its own key, and keys change as people come and go.',
      'What was said before you came stays closed to you, and what is said after you left too.',
      'Nobody, the relay included, can forge, change or reorder a message, or come in unseen.',
    ],
    [
      'Seen by the relay',
      'Addresses of those connected, times, the number of seats, five sizes of message. Use Tor or a VPN if it must not know your address.',
      'It can refuse, delay and cut off.',
    ],
    [
      'Not protected',
      'Whoever has the link can come in, visibly. Nobody can be banned; a new link is cheap.',
      'Whoever is in the room can keep what is said. “Delivered” means that a program has it, not that a person read it.',
      'A stranger and a false relay together can keep you in a false room, until you compare the six words.',
      'A browser cannot promise that forgotten keys are gone from memory. The cryptography has not been reviewed by anybody outside the project.',
    ],
    [
      'This page',
      'It came from {host}, which must be trusted at the moment of loading: another page could read everything. If that is too much, use the terminal (beacon join) or a copy of the page on a host of your own (beacon-relay page).',
    ],
  ],

  leave: 'Leave',
  leaveTitle: 'Leave the room?',
  leaveWhy: 'Your tag, your keys and everything on this page are gone then.',
  unsent: 'Not sent yet: {count}.',
  stay: 'Stay',
  wipe: 'Wipe now',
  wipeWhy: '“Wipe now” blanks the page at once, without a last word. On a keyboard: Esc, Esc.',
  close: 'Close',
  address: 'Open this address?',
  addressWhy: 'It leads to {host}. A member of the room wrote it, not Beacon.',
  openAddress: 'Open',
};

/** Lines of the log, most of them by the type of their event. */
export const LINES = {
  me: 'you are {who}',
  renamed: 'you are now {who}',
  already: 'here already: {who}',
  already_many: '{count} others are here: /who',
  lost: 'the connection is lost; reconnecting',
  found: 'connected again; you are {who}',
  joined: '{who} joined',
  left: '{who} left',
  away: '{who} lost the connection; the seat is kept for a while',
  back: '{who} is back',
  back_other: '{who} is back, was {previous}',
  nick_changed: '{who} is now {nick}',
  missing: '{who} sent {count} messages that did not arrive',
  missing_one: '{who} sent a message that did not arrive',
  equivocation: '{who} sent different messages as one; only the first was shown',
  unconfirmed: '{who} have not been heard yet and may not be here at all',
  unconfirmed_one: '{who} has not been heard yet and may not be here at all',
  unconfirmed_many:
    '{count} of those who should be here have not been heard yet and may not be here at all',
  superseded: 'another connection of yours took your seat; this one is over',
  notice: '{what}',
  notice_of: '{who}: {what}',
};

/** client/event.py's NOTICES. @type {Record<string, string>} */
export const NOTICES = {
  another_group: 'the room is another group than before; compare the six words again',
  commit_refused: 'a member sent a change of the group that breaks the rules; it was ignored',
  degraded: 'the relay has trouble and may lose its log',
  divided: 'the room has come apart; looking for the others',
  draining: 'the relay is about to restart; reconnecting by itself',
  events_dropped: 'the program read too slowly; some events were dropped',
  frame_refused: 'a message could not be authenticated; it was dropped',
  relay_equivocates: 'the relay contradicts itself about the order',
  relay_gap: 'the relay left something out of the order',
  relay_mislabels: 'the relay showed a message under another tag; it was dropped',
  relay_notice: 'the operator of the relay has a notice',
  relay_silent: 'the relay does not answer; reconnecting',
  removed: 'a member removed you; joining again',
  reset: 'the relay lost the room; it is being restored',
  stranded: 'a change of the group could not be followed; joining again',
  unusable: 'the relay has no usable description of the group',
};

/** Why the relay refused, as in client/cli/exits.py. @type {Record<string, string>} */
export const REASONS = {
  busy: 'too many people are trying to enter this room at once; try again in a moment',
  forbidden: 'the relay does not serve us',
  full: 'the room is full',
  no_relay: 'what answers at that address is not a Beacon relay',
  proof: 'the relay did not accept the proof of this link',
  rate: 'the relay says that this is too fast',
  refusals: 'the relay refused too many requests in a row and closed the connection',
  superseded: 'your seat was taken over by another connection of yours',
  unusable: 'the relay holds no usable description of the room; try again in a moment',
  version: 'the relay speaks another version of the protocol',
};

/**
 * Put values into a text's places; what is not a string stays what it is.
 * @template V @param {string} template @param {Record<string, V>} values
 * @returns {(string | V)[]}
 */
export const fill = (template, values) =>
  template
    .split(/\{(\w+)\}/)
    .map((part, at) => (at % 2 ? values[part] : part))
    .filter((part) => part !== '');

/** @param {string} template @param {Record<string, string | number>} values */
export const say = (template, values) => fill(template, values).join('');
