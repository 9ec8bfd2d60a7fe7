// Being in the group: entering, committing, following others; the twin of client/membership.py.

import { equal, zeros } from './bytes.js';
import { Comings, EXPECTED_S } from './comings.js';
import { Duties } from './duty.js';
import { isRefusal, sealGroupInfo, stageCommit, stageJoin } from './entry.js';
import { RefusedError, RemovedError, StateError, StrandedError } from './errors.js';
import { keyOf } from './ledger.js';
import { Newcomer } from './newcomer.js';
import { ANSWER_S } from './outbox.js';
import { Phase } from './stay.js';
import { Stray } from './stray.js';
import { serializeOffer } from './wire.js';

/**
 * @import { Bytes } from './bytes.js'
 * @import { StagedCommit } from './entry.js'
 * @import { Group } from './mls/mls.js'
 * @import { Roster } from './roster.js'
 * @import { Stay } from './stay.js'
 * @import { Talk } from './talk.js'
 * @import { Frame, Info, Joined, Refused, Away, Back, Left } from './wire.js'
 */

/** One stay's place in the group, across connections. */
export class Membership {
  #stay;
  #roster;
  #talk;
  #newcomer;
  #comings;
  first = false;
  entered = false;
  #staged = /** @type {StagedCommit | null} */ (null);
  #stagedAt = 0;
  #signer = /** @type {Bytes | null} */ (null);
  #resendAt = /** @type {number | null} */ (null);
  // Whether our leaf is in the tree that we hold: a removed one has nowhere to go back to.
  #isMember = false;
  #isAnew = false;
  #groupSince = 0;
  // The life in which we were in the group last.
  #life = zeros(0);

  /**
   * @param {Stay} stay @param {Roster} roster @param {Talk} talk
   * @param {readonly string[] | null} expectWords
   */
  constructor(stay, roster, talk, expectWords) {
    this.#stay = stay;
    this.#roster = roster;
    this.#talk = talk;
    this.duties = new Duties(stay, roster);
    this.stray = new Stray(stay, roster);
    this.#newcomer = new Newcomer(stay, expectWords);
    this.#comings = new Comings(stay, roster);
  }

  /** Whether no commit of ours is on its way, so that posts may go. */
  get settled() {
    return this.#staged === null || this.#resendAt !== null;
  }

  /** @param {Frame} frame */
  isOwn({ fence, sealed }) {
    return this.#staged?.fence === fence && equal(sealed, this.#staged.sealed);
  }

  // Connections

  lost() {
    this.#resendAt = null;
    this.#newcomer.lost();
    this.duties.stop();
  }

  reset() {
    this.lost();
    this.stray.stop();
    this.#staged = null;
    this.entered = false;
    this.#roster.clearSeats();
  }

  forgetStaged() {
    this.#staged = this.#resendAt = null;
  }

  /** @param {number} now */
  caughtUp(now) {
    if (this.#staged?.fence === this.#stay.fence) this.#resendAt = now;
    else this.#staged = null;
    this.stray.resume(now);
    this.#talk.upkeep.resume(now);
    this.#roster.watch(this.#stay.others, now);
  }

  /** @param {number} fence @param {number} now */
  skipped(fence, now) {
    const isBehind = fence > this.#stay.fence;
    this.#stay.fence = fence;
    if (isBehind) {
      this.forgetStaged();
      this.stray.strand(null, now);
    }
  }

  // Entering

  /** @param {Info} info @param {number} now */
  async informed(info, now) {
    const { phase, fence } = this.#stay;
    // A turn may come while our commit is on its way.
    if (this.#staged !== null) return;
    if ((phase === Phase.WAITING || phase === Phase.ENTERING) && !this.entered) {
      await this.#enter(info, now);
    } else if ((phase === Phase.STRANDED || this.stray.isSeeking) && info.fence === fence) {
      await this.#rejoin(info);
    }
  }

  /** @param {Info} info @param {number} now */
  async #enter(info, now) {
    const staged = await this.#newcomer.enter(info, now);
    if (staged === null) return;
    this.#signer = this.#newcomer.signer;
    this.#stay.fence = info.fence;
    this.#stay.phase = Phase.ENTERING;
    this.#stage(staged);
  }

  /** @param {Joined} joined @param {number} now */
  admitted(joined, now) {
    const stay = this.#stay;
    this.#roster.seated(joined.seats ?? [], joined.away ?? []);
    this.#roster.watch(stay.others, now);
    this.#newcomer.entered();
    stay.phase = Phase.JOINED;
    stay.do({ type: 'enter' });
    this.stray.entered(this.#signer, now);
    this.#talk.entered(now);
  }

  /** @param {Info} info */
  async #rejoin(info) {
    const stay = this.#stay;
    const tag = /** @type {string} */ (stay.tag);
    let isTagTaken = false;
    for (const chosen of await this.stray.choices(info)) {
      let staged;
      try {
        staged = await stageJoin(stay.keys, stay.identity, tag, chosen, stay.reference());
      } catch (error) {
        if (error instanceof StateError) isTagTaken = true;
        else if (!isRefusal(error)) throw error;
        continue;
      }
      stay.phase = Phase.STRANDED;
      this.#signer = chosen.inspected.signer.signatureKey;
      this.#stage(staged);
      return;
    }
    if (isTagTaken && stay.phase === Phase.STRANDED) this.#comeAnew();
  }

  /** Give up our seat: another tag comes with another (R4). */
  #comeAnew() {
    this.#stay.ticket = null;
    this.#stay.reconnect();
  }

  // Commits

  /** Say whether it was our commit that the relay refused. @param {Refused} refused @param {number} now */
  refused({ reference, reason, retryAfterS }, now) {
    const staged = this.#staged;
    if (staged === null || reference === null || !equal(reference, staged.reference)) return false;
    if (reason === 'pace' || reason === 'rate') this.#resendAt = now + (retryAfterS || 0.25);
    else if (reason === 'full') this.#stay.finish(new RefusedError('full'));
    else if (reason === 'stale') this.forgetStaged();
    else this.#comeAnew();
    return true;
  }

  /** @param {Frame} frame @param {number} now */
  async committed(frame, now) {
    const stay = this.#stay;
    const staged = this.#staged;
    if (frame.fence < stay.fence) {
      stay.notice('relay_equivocates');
      return;
    }
    const own = this.isOwn(frame);
    this.forgetStaged();
    this.duties.committed(now);
    const missed = frame.fence > stay.fence;
    stay.fence = frame.fence + 1;
    if (own) this.#merge(/** @type {StagedCommit} */ (staged), frame, now);
    else if (stay.phase === Phase.STRANDED || missed) this.stray.strand(null, now);
    else await this.#follow(frame, now);
  }

  /** @param {StagedCommit} staged @param {Frame} frame @param {number} now */
  #merge({ fence, group }, frame, now) {
    const stay = this.#stay;
    const isEntry = stay.phase !== Phase.JOINED;
    if (isEntry) {
      stay.heard.clear();
      this.first = fence === 0;
    }
    this.entered = this.#isMember = true;
    this.duties.renewed(group.members.length, now);
    this.#begin(group, frame, now, isEntry);
    if (stay.phase === Phase.STRANDED) {
      stay.phase = Phase.JOINED;
      this.stray.entered(this.#signer, now);
      this.#talk.entered(now);
    }
  }

  /** @param {Frame} frame @param {number} now */
  async #follow(frame, now) {
    const stay = this.#stay;
    const old = /** @type {Group} */ (stay.group);
    let followed;
    try {
      followed = await old.follow(await stay.unseal(frame), frame.fence);
    } catch (error) {
      if (error instanceof StrandedError) {
        stay.notice('stranded', frame.tag);
        this.stray.leftBehind(error, now);
      } else if (error instanceof RemovedError) {
        stay.notice('removed', frame.tag);
        this.#isMember = false;
        this.stray.leftBehind(null, now);
      } else if (isRefusal(error)) this.#refuse(frame, now);
      else throw error;
      return;
    }
    const { group, joined, removed } = followed;
    if (joined === null && !removed.length) this.duties.othersRenewed(now);
    this.#begin(group, frame, now, false);
    if (joined !== null) this.#talk.joined(keyOf(joined), this.duties.rank, now);
  }

  /** @param {Frame} frame @param {number} now */
  #refuse({ tag }, now) {
    this.#stay.notice('commit_refused', tag);
    this.#talk.outbox.fenceMoved();
    this.duties.planOffer(now);
    this.stray.foreign(tag, now);
  }

  /** @param {string} tag @param {number} now */
  divided(tag, now) {
    if (this.stray.foreign(tag, now)) {
      this.#stay.notice('divided', tag);
      this.#talk.entered(now);
    }
  }

  /**
   * Stand in a new epoch.
   * @param {Group} group @param {Frame} frame @param {number} now @param {boolean} isEntry
   */
  #begin(group, { seq }, now, isEntry) {
    const stay = this.#stay;
    const { group: old, others: before } = stay;
    this.duties.began(now);
    const isOther = old === null || !equal(group.groupId, old.groupId);
    if (isOther) this.#groupSince = now;
    const life = this.#life;
    this.#life = stay.life;
    stay.group = group;
    let hasNewcomers = false;
    if (old !== null) {
      const until = isEntry ? now + EXPECTED_S : null;
      const [come, gone] = this.#comings.began(before, stay.others, seq, until);
      hasNewcomers = come.size > 0;
      if (isOther) {
        // Founded anew: whoever was in the old group did not come later (R32).
        this.#isAnew = true;
        if (equal(stay.life, life)) stay.notice('another_group');
      }
      this.#talk.went(gone, this.#awaited);
      // In a group that is younger they may be members of the one before, who count on.
      if (now >= this.#groupSince + EXPECTED_S) for (const key of come) this.#talk.met(key);
      old.wipe();
    }
    this.#roster.watch(stay.others, now);
    this.#talk.epochBegan(seq, now, { hasNewcomers });
    stay.emit({ type: 'epoch_changed', epoch: group.epoch });
  }

  /** @param {string} tag @param {number} now */
  tooFar(tag, now) {
    this.#stay.notice('frame_refused', tag);
    this.duties.renew(now);
  }

  /** Members of a group that was lost with the relay's log, on their way to this one. */
  get #awaited() {
    const { expected } = this.#comings;
    this.#isAnew = this.#isAnew && expected.size > 0;
    return this.#isAnew ? expected : new Set();
  }

  /** No GroupInfo came by which to rejoin. @param {number} now */
  #giveUp(now) {
    const stay = this.#stay;
    const hadLine = this.stray.line !== null;
    this.stray.stop();
    if (stay.phase === Phase.JOINED) return;
    if (!this.#isMember) {
      this.#comeAnew();
      return;
    }
    // What we could not follow is void for us: stay in the epoch that we can hold.
    stay.phase = Phase.JOINED;
    this.#talk.outbox.fenceMoved();
    this.#talk.upkeep.resume(now);
    if (hadLine) this.duties.heal(now);
  }

  /** @param {Away | Back | Left} event @param {number} now */
  seatChanged({ type, tag }, now) {
    if (type === 'away') this.#roster.away(tag);
    else if (type === 'back') {
      this.#roster.present(tag);
      this.#talk.back(tag, now);
    } else {
      this.#roster.left(tag, now);
      this.#comings.seatLeft(tag);
      this.#talk.left(tag);
    }
    this.#roster.watch(this.#stay.others, now);
  }

  // Time

  /** @param {number} now */
  async tick(now) {
    const stay = this.#stay;
    this.#newcomer.tick(now);
    const late = this.#comings.expire(now);
    if (late.size) this.#talk.went(late, this.#awaited);
    if (this.#staged !== null) {
      if (this.#resendAt === null) {
        if (now < this.#stagedAt + ANSWER_S) return;
        stay.notice('relay_silent');
        stay.reconnect();
      } else {
        if (now < this.#resendAt) return;
        this.#resendAt = null;
        stay.send(this.#staged.message);
      }
      this.#stagedAt = now;
      return;
    }
    if (stay.isInside && this.stray.tick(now)) this.#giveUp(now);
    if (stay.phase === Phase.JOINED) await this.#serve(now);
  }

  /** @param {number} now */
  async #serve(now) {
    const stay = this.#stay;
    const { keys, fence } = stay;
    const group = /** @type {Group} */ (stay.group);
    if (this.duties.takesOffer(now)) {
      const sealed = await sealGroupInfo(keys, group, fence);
      stay.send(serializeOffer(stay.reference(), fence, sealed));
    }
    const removes = this.duties.takesCommit(now);
    if (removes !== null) {
      this.#stage(await stageCommit(keys, group, removes, fence, stay.reference()));
    }
  }

  /** @param {StagedCommit} staged */
  #stage(staged) {
    this.#staged = staged;
    this.#stagedAt = this.#stay.now;
    this.#stay.send(staged.message);
  }

  /** Infinity for never. */
  deadline() {
    const { phase, isInside } = this.#stay;
    const times = [this.#newcomer.deadline(), this.#comings.deadline() ?? Infinity];
    if (this.#staged) times.push(this.#resendAt ?? this.#stagedAt + ANSWER_S);
    else if (isInside) times.push(this.stray.deadline() ?? Infinity);
    if (!this.#staged && phase === Phase.JOINED) times.push(this.duties.deadline());
    return Math.min(...times);
  }
}
