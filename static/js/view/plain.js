// What other people chose, made safe to look at, and what a tag looks like: pure; the reasons stand
// in client/cli/render.py.

const BREAKS = /\r\n|[\r\v\f\x85\u2028\u2029]/g;
const HIDDEN = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}]/gu;
// Persian, Indic scripts and emoji need joiners between their characters.
const JOINED = /[^\0-\x7f][\u200c\u200d](?=[^\0-\x7f\p{Cc}\p{Cf}\p{Cs}])/gu;
const ADDRESS = /https?:\/\/[^\s<>"“”«»`]+/gi;
const ENDING = /[.,;:!?'’)\]}]$/;
// By tag, as in the terminal: hue and chroma (in hundredths) of the same sixteen colours.
const HUES = [21, 59, 118, 142, 164, 195, 228, 258, 276, 292, 306, 327, 322, 354, 344, 10];
const CHROMAS = [11, 12, 11, 14, 10, 9, 11, 15, 17, 17, 11, 13, 19, 18, 10, 17];

/** Take out what hides or turns the direction; line breaks stay. @param {string} text */
export function clean(text) {
  const tidy = text.replace(BREAKS, '\n').replaceAll('\t', ' ');
  const joins = [...tidy.matchAll(JOINED)].map(({ 0: found, index }) => index + found.length - 1);
  return tidy.replace(HIDDEN, (char, at) => (joins.includes(at) ? char : ''));
}

/** @param {string | null | undefined} nick */
export const cleanNick = (nick) =>
  clean(nick ?? '')
    .replaceAll('\n', ' ')
    .trim();

/** Take a text apart where it holds http addresses. @param {string} text */
export function linkify(text) {
  /** @type {(string | { url: string })[]} */
  const parts = [];
  let done = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    let url = found;
    while (ENDING.test(url) && !/\(.*\)$/.test(url)) url = url.slice(0, -1);
    if (!URL.canParse(url)) continue;
    parts.push(text.slice(done, index), { url });
    done = index + url.length;
  }
  return [...parts, text.slice(done)].filter((part) => part !== '');
}

/** Unicode code points, as the limits count them. @param {string} text */
export function points(text) {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** @param {string} tag */
export function tint(tag) {
  const at = Number(tag) % HUES.length;
  return { hue: HUES[at], chroma: CHROMAS[at] / 100 };
}

/** A tag's sixteen bits: what its sign is drawn from. @param {string} tag */
export const bits = (tag) => Array.from({ length: 16 }, (_, at) => (Number(tag) >> (15 - at)) & 1);
