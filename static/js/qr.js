// QR codes (ISO/IEC 18004): byte mode, level M, versions 1 to 15, enough for the longest link.

import { utf8 } from './bytes.js';

// By version, from 1: correction codewords of a block, and blocks (table 9, level M).
const CORRECTION = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24];
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10];
/** Table 10: zero where a mask turns. @type {((i: number, j: number) => number)[]} */
const MASKS = [
  (i, j) => (i + j) % 2,
  (i) => i % 2,
  (_, j) => j % 3,
  (i, j) => (i + j) % 3,
  (i, j) => ((i >> 1) + Math.floor(j / 3)) % 2,
  (i, j) => ((i * j) % 2) + ((i * j) % 3),
  (i, j) => (((i * j) % 2) + ((i * j) % 3)) % 2,
  (i, j) => (((i + j) % 2) + ((i * j) % 3)) % 2,
];
// A module that no pattern has taken.
const FREE = 2;

/**
 * Modules row by row, 1 for dark; raise RangeError for more than 412 bytes.
 * @param {string} text
 */
export function encode(text) {
  const bytes = utf8(text);
  for (let version = 1; version <= BLOCKS.length; version++) {
    const size = 17 + 4 * version;
    const grid = patterns(version, size);
    const free = grid.map((module) => Number(module === FREE));
    const corrections = CORRECTION[version - 1] * BLOCKS[version - 1];
    const length = (free.reduce((sum, each) => sum + each, 0) >> 3) - corrections;
    if (length < bytes.length + (version < 10 ? 2 : 3)) continue;
    place(grid, size, codewords(bytes, version, length));
    // Judged before format and version are drawn: that is the order of 7.8 and 7.9.
    const masked = MASKS.map((mask) =>
      grid.map((dark, at) => (mask(Math.floor(at / size), at % size) ? dark : dark ^ free[at])),
    );
    const costs = masked.map((each) => penalty(each, size));
    const mask = costs.indexOf(Math.min(...costs));
    const modules = masked[mask];
    // Level M is 00.
    const format = ((mask << 10) | check(mask, 10, 0x537)) ^ 0x5412;
    inform(modules, size, format, (version << 12) | check(version, 12, 0x1f25));
    return { size, version, mask, modules };
  }
  throw new RangeError('too long for a QR code');
}

/**
 * Blocks with their corrections, interleaved.
 * @param {Uint8Array} bytes @param {number} version @param {number} length
 */
function codewords(bytes, version, length) {
  const data = new Uint8Array(length);
  // Mode (4 bits), count (8 or 16), the bytes and four zeros: all off by half a byte.
  const head = version < 10 ? [bytes.length] : [bytes.length >> 8, bytes.length & 255];
  [4, ...head, ...bytes, 0].reduce((last, byte, at) => {
    data[at - 1] = (last << 4) | (byte >> 4);
    return byte & 15;
  });
  // One codeword later than it might: so has segno, for the terminal, and nobody reads it.
  const end = head.length + bytes.length + 2;
  for (let at = end; at < data.length; at++) data[at] = (at - end) % 2 ? 0x11 : 0xec;

  const corrections = CORRECTION[version - 1];
  const count = BLOCKS[version - 1];
  const short = Math.floor(length / count);
  /** @type {number[][]} by place in the block, data and then corrections */
  const columns = Array.from({ length: short + 1 + corrections }, () => []);
  for (let i = 0, from = 0; i < count; i++) {
    const to = from + short + Number(i >= count - (length % count));
    const block = data.subarray(from, to);
    for (const [at, byte] of block.entries()) columns[at].push(byte);
    for (const [at, byte] of remainder(block, corrections).entries())
      columns[short + 1 + at].push(byte);
    from = to;
  }
  return columns.flat();
}

/** Multiply in GF(256) modulo 0x11d. @param {number} a @param {number} b */
function times(a, b) {
  let product = 0;
  for (let bit = 128; bit; bit >>= 1) {
    product = (product << 1) ^ (product & 128 ? 0x11d : 0) ^ (b & bit ? a : 0);
  }
  return product;
}

/** Reed-Solomon. @param {Uint8Array} data @param {number} count */
function remainder(data, count) {
  let divisor = [1];
  for (let i = 0, root = 1; i < count; i++, root = times(root, 2)) {
    divisor = [...divisor, 0].map((each, at) => each ^ times(divisor[at - 1] ?? 0, root));
  }
  let rest = new Array(count).fill(0);
  for (const byte of data) {
    const factor = byte ^ rest[0];
    rest = [...rest.slice(1), 0].map((each, at) => each ^ times(divisor[at + 1], factor));
  }
  return rest;
}

/** What does not depend on the data. @param {number} version @param {number} size */
function patterns(version, size) {
  const grid = new Uint8Array(size * size).fill(FREE);
  /** Rings around a centre. @param {number} row @param {number} column @param {number} reach */
  const rings = (row, column, reach) => {
    for (let i = Math.max(0, row - reach); i <= Math.min(size - 1, row + reach); i++) {
      for (let j = Math.max(0, column - reach); j <= Math.min(size - 1, column + reach); j++) {
        const ring = Math.max(Math.abs(i - row), Math.abs(j - column));
        grid[i * size + j] = Number(ring !== 4 && ring !== reach / 2);
      }
    }
  };
  for (let i = 0; i < size; i++) grid[6 * size + i] = grid[i * size + 6] = 1 - (i % 2);
  rings(3, 3, 4);
  rings(3, size - 4, 4);
  rings(size - 4, 3, 4);
  const count = version > 1 ? Math.floor(version / 7) + 1 : 0;
  const step = 2 * Math.floor((8 * version + 3 * count + 8) / (4 * count));
  const centres = [6];
  for (let i = count - 1; i >= 0; i--) centres.push(size - 7 - i * step);
  for (const row of centres) {
    for (const column of centres) {
      // Not in the corners.
      if (row + column > 12 && Math.abs(row - column) < size - 13) rings(row, column, 2);
    }
  }
  inform(grid, size, 0, 0);
  return grid;
}

/** The remainder of a BCH code. @param {number} value @param {number} bits @param {number} divisor */
function check(value, bits, divisor) {
  let rest = value << bits;
  for (let at = 12; at >= 0; at--) if (rest & (1 << (at + bits))) rest ^= divisor << at;
  return rest;
}

/**
 * Draw format and version, in two copies each; at first zeros.
 * @param {Uint8Array} grid @param {number} size @param {number} format @param {number} version
 */
function inform(grid, size, format, version) {
  for (let i = 0; i < 15; i++) {
    const row = i < 6 ? i : i < 8 ? i + 1 : size - 15 + i;
    const column = i < 8 ? size - 1 - i : i === 8 ? 7 : 14 - i;
    grid[row * size + 8] = grid[8 * size + column] = (format >> i) & 1;
  }
  grid[(size - 8) * size + 8] = Number(format > 0);
  for (let i = 0; i < 18 && size > 41; i++) {
    const [far, near] = [size - 11 + (i % 3), Math.floor(i / 3)];
    grid[far * size + near] = grid[near * size + far] = (version >> i) & 1;
  }
}

/**
 * Two columns at a time, from the right, up and down by turns.
 * @param {Uint8Array} grid @param {number} size @param {number[]} words
 */
function place(grid, size, words) {
  let bit = 0;
  for (let right = size - 1; right > 0; right -= right === 8 ? 3 : 2) {
    for (let i = 0; i < 2 * size; i++) {
      const row = (right > 6 ? right : right + 1) & 2 ? i >> 1 : size - 1 - (i >> 1);
      const at = row * size + right - (i % 2);
      if (grid[at] === FREE) grid[at] = ((words[bit >> 3] ?? 0) >> (7 - (bit++ & 7))) & 1;
    }
  }
}

/** Section 7.8.3.1. @param {Uint8Array} modules @param {number} size */
function penalty(modules, size) {
  let cost = 0;
  for (let i = 0; i < size; i++) {
    const row = modules.subarray(i * size, (i + 1) * size);
    const column = modules.filter((_, at) => at % size === i);
    for (const line of [row.join(''), column.join('')]) {
      for (const [run] of line.matchAll(/(.)\1{4,}/g)) cost += run.length - 2;
      // A finder's likeness with four light ones beside it; what is outside is light.
      const alike = `0000${line}0000`.match(/(?<=0000)1011101|1011101(?=0000)/g);
      cost += 40 * (alike?.length ?? 0);
    }
    for (let at = i * size; at % size < size - 1 && i < size - 1; at++) {
      const sum = modules[at] + modules[at + 1] + modules[at + size] + modules[at + size + 1];
      if (sum % 4 === 0) cost += 3;
    }
  }
  const dark = modules.reduce((sum, module) => sum + module) / modules.length;
  return cost + 10 * Math.floor(Math.abs(dark - 0.5) * 20);
}
