// What was typed, read as client/cli/composer.py reads it: but a text of several lines is one message.

import { checkNick, checkText } from '../content.js';
import { UsageError } from '../errors.js';
import { T } from '../text.js';

/**
 * @typedef {{ type: 'say', text: string } | { type: 'nick', nick: string } |
 *   { type: 'who' | 'verify' | 'send' | 'drop' | 'help' | 'leave' }} Order
 */

/** @type {Record<string, Order>} */
const BARE = {
  '/who': { type: 'who' },
  '/verify': { type: 'verify' },
  '/send': { type: 'send' },
  '/drop': { type: 'drop' },
  '/help': { type: 'help' },
  '/leave': { type: 'leave' },
  '/quit': { type: 'leave' },
};

/** Null if nothing is asked for; raise UsageError. @param {string} typed @returns {Order | null} */
export function read(typed) {
  if (!typed.trim()) return null;
  if (typed.includes('\n') || !typed.startsWith('/'))
    return { type: 'say', text: checkText(typed) };
  if (typed.startsWith('//')) return { type: 'say', text: checkText(typed.slice(1)) };
  const [word] = typed.trim().split(' ', 1);
  const rest = typed.trim().slice(word.length);
  if (word === '/nick') return { type: 'nick', nick: checkNick(rest.trim()) };
  if (!BARE[word] || rest) throw new UsageError(T.noCommand);
  return BARE[word];
}
