// What stands for the browser in tests of the shell: a WebSocket and a clock, by hand.

/** A WebSocket that does what the test says. */
export class Socket {
  /** @type {any} */ onopen;
  /** @type {any} */ onclose;
  /** @type {any} */ onmessage;
  readyState = 0;
  binaryType = 'blob';
  /** @type {any[]} */ sent = [];
  closed = false;

  /** @param {string} url */
  constructor(url) {
    this.url = url;
  }

  /** @param {any} data */
  send(data) {
    this.sent.push(data);
  }

  close() {
    this.closed = true;
    this.readyState = Math.max(this.readyState, 2);
  }

  opened() {
    this.readyState = 1;
    this.onopen?.({});
  }

  /** @param {number} code */
  ended(code) {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  /** @param {string | ArrayBuffer} data */
  says(data) {
    this.onmessage?.({ data });
  }
}

/** A clock with its timers, and every socket that was asked for. */
export class World {
  /** @type {Socket[]} */ sockets = [];
  at = 1000;
  wall = 0;
  /** @type {{ due: number, call: () => void }[]} */ timers = [];
  target = new EventTarget();
  now = () => this.at;
  date = () => this.at + this.wall;
  /** @type {any} */ WebSocket;

  constructor() {
    const { sockets } = this;
    this.WebSocket = class extends Socket {
      /** @param {string} url */
      constructor(url) {
        super(url);
        sockets.push(this);
      }
    };
  }

  get socket() {
    return this.sockets[this.sockets.length - 1];
  }

  /** @param {() => void} call @param {number} ms */
  setTimeout = (call, ms) => {
    const timer = { due: this.at + ms / 1000, call };
    this.timers.push(timer);
    return timer;
  };

  /** @param {any} timer */
  clearTimeout = (timer) => {
    this.timers = this.timers.filter((one) => one !== timer);
  };

  /** Let time pass, and every timer fire at its own. @param {number} seconds */
  pass(seconds) {
    const until = this.at + seconds;
    for (;;) {
      const [first] = this.timers.filter(({ due }) => due <= until).sort((a, b) => a.due - b.due);
      if (!first) break;
      this.at = Math.max(this.at, first.due);
      this.clearTimeout(first);
      first.call();
    }
    this.at = until;
  }

  /** Let time pass without us: timers fire late, all at the end. @param {number} seconds */
  sleep(seconds) {
    this.at += seconds;
    this.pass(0);
  }
}

/** Until everything has been done that waits for nothing. @returns {Promise<void>} */
export const settled = () => new Promise((resolve) => setImmediate(resolve));
