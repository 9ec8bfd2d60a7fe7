// Every error that the page's code raises on purpose, split by who is at fault; the same classes as
// client/errors.py. Messages never quote keys, links, texts or bytes that came from outside.

/** Base of everything that is raised on purpose. */
export class ClientError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = new.target.name;
  }
}

/** Our caller passed something that cannot work; nothing was sent or changed. */
export class UsageError extends ClientError {}

/** The link is malformed, or names a relay that must not be used; get a fresh one. */
export class LinkError extends UsageError {}

/** The relay or a peer sent bytes that PROTOCOL does not allow; nothing has changed. */
export class FrameError extends ClientError {}

/** Something arrived, or was asked for, that the present state has no place for. */
export class StateError extends ClientError {}

/** A limit was met; `retryAfterS` says when to try again, null when trying is no use. */
export class LimitError extends ClientError {
  /** @param {string} message @param {number | null} [retryAfterS] */
  constructor(message, retryAfterS = null) {
    super(message);
    this.retryAfterS = retryAfterS;
  }
}

/** A key, tag, signature or padding does not fit. One message for all causes, on purpose. */
export class AuthenticationError extends ClientError {
  constructor() {
    super('authentication failed');
  }
}

/** Not of this epoch, though its seal is genuine: its sender is on another line of epochs. */
export class ForeignError extends AuthenticationError {}

/** A public check failed: every member refuses this commit alike and keeps its epoch (R12). */
export class CommitRefusedError extends ClientError {
  /** @param {string} check the failed check's name; never sent */
  constructor(check) {
    super(`commit refused: ${check}`);
    this.check = check;
  }
}

/**
 * The public checks passed, a private one did not: others may have followed (R12). Only a GroupInfo
 * that bears all three of the epoch that we could not enter may be used to rejoin.
 */
export class StrandedError extends ClientError {
  /**
   * @param {Uint8Array} confirmedTranscriptHash
   * @param {Uint8Array} treeHash
   * @param {Uint8Array} confirmationTag
   */
  constructor(confirmedTranscriptHash, treeHash, confirmationTag) {
    super('stranded by a commit');
    this.confirmedTranscriptHash = confirmedTranscriptHash;
    this.treeHash = treeHash;
    this.confirmationTag = confirmationTag;
  }
}

/** A valid commit removed this member's leaf; it may rejoin with the link. */
export class RemovedError extends ClientError {}

/**
 * The relay refused; `reason` is PROTOCOL's word for why (section 5). Besides those: `unusable`
 * (R25), `refusals` (too many in a row), `forbidden` and `no_relay` (not a relay, or not for us).
 */
export class RefusedError extends ClientError {
  /** @param {string} reason @param {number | null} [retryAfterS] */
  constructor(reason, retryAfterS = null) {
    super(`the relay refused: ${reason}`);
    this.reason = reason;
    this.retryAfterS = retryAfterS;
  }
}

/** Somebody entered after this was sent and before it went out: send again to tell them too. */
export class HeldError extends ClientError {}

/** The room's words differ from those expected: someone may stand in between. */
export class VerificationError extends ClientError {}

/** The relay cannot be reached, or the connection ended; nobody need be at fault. */
export class TransportError extends ClientError {
  /** @param {string} message @param {number | null} [retryAfterS] what the relay asked for */
  constructor(message, retryAfterS = null) {
    super(message);
    this.retryAfterS = retryAfterS;
  }
}
