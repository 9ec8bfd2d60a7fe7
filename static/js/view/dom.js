// How elements are made: never from markup, so that nothing anybody writes can become any.

import { bits, cleanNick, tint } from './plain.js';

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Record<string, string | number | boolean | ((event: any) => void)>} [props] listeners are functions
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(name, props = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else if (value !== false) element.setAttribute(key, value === true ? '' : String(value));
  }
  element.append(...children);
  return element;
}

/** @param {Node | string} label @param {() => void} click @param {string} [kind] */
export const button = (label, click, kind = '') =>
  h('button', { type: 'button', class: kind, click }, label);

/** Paths by their classes. @param {string} box @param {Record<string, string>} paths */
export function drawing(box, paths) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', box);
  svg.setAttribute('aria-hidden', 'true');
  for (const [kind, d] of Object.entries(paths)) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('class', kind);
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}

/** A tag's sign: four digits of four bits, lit or not. @param {string} tag */
export function sign(tag) {
  const paths = { unlit: '', lit: '' };
  bits(tag).forEach((bit, at) => {
    const radius = bit ? 0.4 : 0.14;
    const half = `a${radius} ${radius} 0 1 0`;
    paths[bit ? 'lit' : 'unlit'] +=
      `M${(at % 4) + 0.5 - radius} ${(at >> 2) + 0.5}${half} ${2 * radius} 0${half} ${-2 * radius} 0`;
  });
  const svg = drawing('0 0 4 4', paths);
  svg.setAttribute('class', 'sign');
  return svg;
}

/**
 * Who it is: first the tag, which nobody chooses, then the nickname.
 * @param {{ tag: string, nick: string | null }} member @param {string} [extra] @param {boolean} [signed]
 */
export function whoIs({ tag, nick }, extra = '', signed = false) {
  const named = cleanNick(nick);
  const { hue, chroma } = tint(tag);
  const node = h('span', { class: 'who' }, h('b', {}, tag));
  node.style.setProperty('--hue', String(hue));
  node.style.setProperty('--chroma', String(chroma));
  if (signed) node.prepend(sign(tag));
  const beside = h('span', { class: 'beside' }, h('bdi', {}, named));
  if (extra) beside.append(' ', h('small', {}, extra));
  if (named || extra) node.append(' ', beside);
  return node;
}
