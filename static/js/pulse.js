// When a pulse is due (R14, R31), and nothing of what it says; the twin of client/pulse.py.

const RECEIPT_S = 2;
/** In larger rooms not everybody answers: so many do, on average. */
export const ANSWERING = 16;
const HEARTBEAT_S = [45, 75];
const CONFIRM_S = 0.5;
const RANK_S = 0.3;
const GREETING_S = 3;
const PROBE_S = 5;

/** The clock of one member's pulses; `chance` is from 0 up to 1, `key` a signature key in hex. */
export class Pulse {
  // Infinity is never.
  #due = Infinity;
  #window = 0;
  #confirm = Infinity;
  #probe = Infinity;
  #heartbeat = Infinity;
  /** @type {Set<string>} */
  #newcomers = new Set();
  #probes = false;

  /** A frame of ours was ordered. @param {number} now @param {number} chance */
  sent(now, chance) {
    const [low, high] = HEARTBEAT_S;
    this.#heartbeat = now + low + chance * (high - low);
  }

  /** Take what is due; say whether it is to ask the others for answers. */
  took() {
    this.#due = this.#confirm = this.#heartbeat = Infinity;
    this.#newcomers.clear();
    const probes = this.#probes;
    this.#probes = false;
    return probes;
  }

  /** What was taken came to nothing. @param {number} now @param {{ probes: boolean }} taken */
  again(now, { probes }) {
    this.#due = now;
    this.#probes ||= probes;
  }

  /** A counted content of ours was ordered. @param {number} now */
  said(now) {
    this.#probe = now + PROBE_S;
  }

  /** One of another came. @param {number} now @param {number} leaves @param {number} chance */
  came(now, leaves, chance) {
    if (this.#due < Infinity || now < this.#window) return;
    this.#window = now + RECEIPT_S;
    if (chance * leaves < ANSWERING) this.#due = now + RECEIPT_S;
  }

  /** Somebody came in. @param {string} key @param {number} now @param {number} rank */
  joined(key, now, rank) {
    this.#newcomers.add(key);
    if (this.#confirm === Infinity) this.#confirm = now + CONFIRM_S + rank * RANK_S;
  }

  /** Another's pulse came. @param {string} key */
  heard(key) {
    if (this.#newcomers.has(key)) return;
    this.#confirm = Infinity;
    this.#newcomers.clear();
  }

  /** Tell of ourselves soon. @param {number} now @param {number} chance */
  greet(now, chance) {
    this.#due = Math.min(this.#due, now + chance * GREETING_S);
  }

  /** @param {number} now @param {{ awaited: boolean }} said not everybody has confirmed it */
  isDue(now, { awaited }) {
    if (this.#probe <= now) {
      this.#probe = Infinity;
      if (awaited) {
        this.#due = now;
        this.#probes = true;
      }
    }
    return Math.min(this.#due, this.#confirm, this.#heartbeat) <= now;
  }

  deadline() {
    const at = Math.min(this.#due, this.#confirm, this.#probe, this.#heartbeat);
    return at < Infinity ? at : null;
  }
}
