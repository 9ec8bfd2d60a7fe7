// Tells one room of the page's JavaScript what another was told, and says what that took.
//
//     node --import ./bench/seeded.mjs bench/member.mjs ORDERS.jsonl
//
// prints {"seconds": of the processor, "texts": shown}, both from {"do": "mark"} on. Orders are those of
// tests/static/bridge.js, and all that is drawn by chance is drawn alike.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fromHex } from '../static/js/bytes.js';
import { Link } from '../static/js/link.js';
import { Room } from '../static/js/room.js';

function drawing(seed) {
  let count = 0;
  return (outputLength) => {
    const hash = createHash('shake256', { outputLength }).update(`${seed} ${count++}`);
    return new Uint8Array(hash.digest());
  };
}

const decoded = (value) => (value?.$ === 'bytes' ? fromHex(value.hex) : value);

const orders = readFileSync(process.argv[2], 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))
  .map((order) => ({ ...order, args: (order.args ?? []).map(decoded) }));

let room;
let texts = 0;
let began = process.cpuUsage();
for (const order of orders) {
  if (order.do === 'mark') {
    began = process.cpuUsage();
    texts = 0;
  } else if (order.do === 'seed') {
    const draw = drawing(order.seed);
    crypto.getRandomValues = (array) => {
      array.set(draw(array.length));
      return array;
    };
  } else if (order.do === 'create') {
    const { scheme, host, secret, seed, expectWords } = order;
    const link = new Link(scheme, host, fromHex(secret));
    room = await Room.create(link, drawing(seed), { expectWords });
  } else {
    const done = await room[order.do](...order.args);
    const effects = order.do === 'say' ? done[1] : done;
    texts += effects.filter(({ event }) => event?.type === 'message').length;
  }
}
const { user, system } = process.cpuUsage(began);
console.log(JSON.stringify({ seconds: (user + system) / 1e6, texts }));
