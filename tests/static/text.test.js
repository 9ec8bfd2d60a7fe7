// The catalogue of words: complete, without leftovers, and the same as the terminal's.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { fill, LINES, NOTICES, REASONS, say, T } from '../../static/js/text.js';

const ROOT = new URL('../../', import.meta.url);
const read = (/** @type {string} */ path) => readFileSync(new URL(path, ROOT), 'utf8');
const folder = 'static/js/view/';
const views = readdirSync(new URL(folder, ROOT)).map((name) => folder + name);
const sources = [...views, 'static/js/main.js'].map(read).join('\n');

/** @param {string} python @param {string} name of a dict */
function dictOf(python, name) {
  const body = python.slice(
    python.indexOf(`${name} = {`),
    python.indexOf('\n}', python.indexOf(`${name} = {`)),
  );
  return Object.fromEntries(
    [...body.matchAll(/"(\w+)": "([^"]*)"/g)].map(([, key, value]) => [key, value]),
  );
}

test('every word that the page asks for is in the catalogue', () => {
  const asked = new Set([...sources.matchAll(/\bT\.(\w+)/g)].map(([, key]) => key));
  for (const key of asked) assert.ok(key in T, key);
});

test('no word is in the catalogue for nothing', () => {
  const byName = [
    'connecting',
    'connected',
    'reconnecting',
    'closed',
    'pending',
    'ordered',
    'delivered',
    'failed',
    'held',
    'in',
    'out',
  ];
  const unused = Object.keys(T).filter(
    (key) => !byName.includes(key) && !sources.includes(`T.${key}`),
  );
  assert.deepEqual(unused, []);
});

test('no view holds words of its own', () => {
  const literals = [...sources.matchAll(/h\('\w+', \{[^}]*\}, '([A-Z][a-z]+[^']*)'/g)];
  assert.deepEqual(literals, []);
});

test('notices and reasons are those of the Python client', () => {
  assert.deepEqual(NOTICES, dictOf(read('client/event.py'), 'NOTICES'));
  assert.deepEqual(REASONS, dictOf(read('client/cli/exits.py'), '_REASONS'));
});

test('lines of the log are the terminal’s', () => {
  const python = ['render', 'interactive'].map((name) => read(`client/cli/${name}.py`)).join('\n');
  // Python puts this one together from parts.
  const { missing, missing_one: one, ...others } = LINES;
  assert.equal(missing.replace('{count} messages', 'a message'), one);
  const pieces = Object.values(others)
    .flatMap((line) => line.split(/\{\w+\}|(?<=here have)/))
    .map((piece) => piece.replace(/^[:,]? (has|have)?/, '').trim());
  for (const piece of pieces.filter((each) => each.length > 4)) {
    assert.ok(python.includes(piece), piece);
  }
});

test('places are filled, with things where things are given', () => {
  const thing = { tag: '0x3f8a' };
  assert.deepEqual(fill('{who} is now {nick}', { who: thing, nick: 'ada' }), [
    thing,
    ' is now ',
    'ada',
  ]);
  assert.equal(say(T.delivered, { count: 0, of: 3 }), 'delivered 0 of 3');
});

test('what is filled in is never read as a template', () => {
  assert.equal(say('{a}{b}', { a: '{b}', b: '$&' }), '{b}$&');
});
