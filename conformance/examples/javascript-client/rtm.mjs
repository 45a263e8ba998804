// A small RTM client for Node 20.10 or later, written from PROTOCOL.md alone and without any package. It is an example to
// read and to judge, not a product; README.md says what it leaves out.

import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { RtmError, TIMEOUTS } from './errors.mjs';
import { Link, Lost } from './link.mjs';
import { RtmMessage } from './message.mjs';

const DEFAULT_LIMITS = {
  channels: 20, message_bytes: 32768, id_bytes: 64, count_channels: 32,
  reconnect_threshold_ms: 4000, ping_interval_ms: 2500, login_timeout_ms: 10000,
};

const KICKS = ['REMOTE_LOGIN', 'BANNED_BY_SERVER', 'TOKEN_EXPIRED'];
const HELD = 1000; // requests that may wait for a link

/** An emitter that calls all listeners in order, also when one of them throws. */
class Emitter extends EventEmitter {
  emit(event, ...values) {
    for (const listener of this.listeners(event)) {
      try {
        listener.apply(this, values);
      } catch (error) {
        process.nextTick(() => { throw error; });
      }
    }
  }
}

const idAlphabet = /^[A-Za-z0-9 !#$%&()+\-:;<=.>?@[\]^_{}|~,]+$/;

function isId(id, limits) {
  return typeof id === 'string' && idAlphabet.test(id) && id.length <= limits.id_bytes && id !== 'null';
}

/**
 * A client. Events: ConnectionStateChanged (state, reason), MessageFromPeer (message, uid), TokenExpired (),
 * TokenPrivilegeWillExpire ().
 */
export class RtmClient extends Emitter {
  #options;
  #state = 'DISCONNECTED';
  #loggingIn; // the session and the promise of a login at work
  #session; // from the login until logout or abort, over as many links as it takes
  #lastId = 0;
  #limits = DEFAULT_LIMITS;
  #channels = new Map(); // by id: the objects that are joined, joining or leaving

  constructor({ url, appId, loginTimeout = 12000, sendTimeout = 10000 }) {
    super();
    if (!/^[A-Za-z0-9]{32}$/.test(appId)) {
      throw new RtmError('client.new', 1, 'an app id is 32 ASCII letters and digits');
    }
    this.#options = { url, appId, loginTimeout, sendTimeout };
  }

  get connectionState() { return this.#state; }

  async login(uid, token = '') {
    if (!isId(uid, this.#limits)) throw new RtmError('login', 3, 'this is no user id');
    if (this.#state !== 'DISCONNECTED') throw new RtmError('login', 8, 'log out first');
    const session = {
      uid, token, id: '', peerSeq: 0, acked: 0, tries: 0,
      waiting: new Map(), // requests on the wire, by id
      held: [], // requests that wait for a link
      ended: new AbortController(),
    };
    session.over = once(session.ended.signal, 'abort').then(() => { throw session.ended.signal.reason; });
    session.over.catch(() => {});
    this.#setState('CONNECTING', 'LOGIN');
    const done = this.#firstLogin(session);
    this.#loggingIn = { session, done };
    await done;
  }

  async #firstLogin(session) {
    const giveUp = () => session.ended.abort(new RtmError('login', 9, 'the server gave no answer in time'));
    const timer = setTimeout(giveUp, this.#options.loginTimeout);
    try {
      for (;;) {
        try {
          await this.#pause(session);
          await this.#attempt(session);
          return;
        } catch (error) {
          session.ended.signal.throwIfAborted();
          if (error instanceof RtmError) throw error;
          if (error.terminal) throw new RtmError('login', 1, `the server closed the connection with ${error.code}`);
        }
      }
    } catch (error) {
      this.#loggingIn = undefined;
      this.#setState('DISCONNECTED', error.code === 9 ? 'LOGIN_TIMEOUT' : 'LOGIN_FAILURE');
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** End the session. Also the way out of ABORTED and RECONNECTING. A login at work is waited for. */
  async logout() {
    if (this.#loggingIn) await this.#loggingIn.done;
    const session = this.#session;
    if (!session && this.#state === 'ABORTED') return this.#setState('DISCONNECTED', 'LOGOUT');
    if (!session || session.leaving) throw new RtmError('logout', 102, 'there is no session');
    session.leaving = true;
    // An answer that does not come changes nothing: the user is logged out here, and there after the grace time.
    if (session.link) await this.#request(session, 'logout', {}).catch(() => {});
    if (this.#session === session) this.#end('DISCONNECTED', 'LOGOUT');
    else if (this.#state === 'ABORTED') this.#setState('DISCONNECTED', 'LOGOUT');
  }

  async renewToken(token) {
    if (!token) throw new RtmError('token.renew', 2, 'the token is empty');
    const session = this.#need('token.renew');
    if (!session.link) {
      session.token = token; // for the next attempt
      session.renewed?.();
    }
    await this.#request(session, 'token.renew', { token });
    session.token = token;
  }

  createText(text) { return new RtmMessage({ text }); }

  createRaw(raw, description) { return new RtmMessage({ raw, description }); }

  /** Returns whether the peer has received the message. */
  async sendMessageToPeer(message, uid) {
    const session = this.#need('peer.send');
    if (!isId(uid, this.#limits)) throw new RtmError('peer.send', 6, 'this is no user id');
    const payload = RtmMessage.payload(message, this.#limits);
    if (!payload) throw new RtmError('peer.send', 7, 'this is no message that can be sent');
    return (await this.#request(session, 'peer.send', { to: uid, ...payload })).received === true;
  }

  createChannel(id) {
    if (!isId(id, this.#limits)) throw new RtmError('channel.new', 1, 'this is no channel id');
    return new RtmChannel(id, {
      channels: this.#channels,
      limits: () => this.#limits,
      need: (op) => this.#need(op),
      request: (...call) => this.#request(...call),
    });
  }

  /** Returns an object from channel id to number of members. */
  async getChannelMemberCount(ids) {
    const session = this.#need('channel.count');
    if (!ids.length || !ids.every((id) => isId(id, this.#limits))) {
      throw new RtmError('channel.count', 2, 'these are no channel ids');
    }
    if (ids.length > this.#limits.count_channels) throw new RtmError('channel.count', 5, 'too many channels at once');
    const { counts } = await this.#request(session, 'channel.count', { channels: ids });
    return Object.fromEntries(ids.map((id, i) => [id, counts[i]]));
  }

  /** Give up everything without a word to the server. No event comes any more. */
  close() {
    this.removeAllListeners();
    for (const channel of this.#channels.values()) channel.removeAllListeners();
    this.#loggingIn?.session.ended.abort(new RtmError('login', 1, 'the client was closed'));
    if (this.#session) this.#end('DISCONNECTED', 'LOGOUT');
  }

  #setState(state, reason) {
    this.#state = state;
    this.emit('ConnectionStateChanged', state, reason);
  }

  #need(op) {
    if (!this.#session) throw new RtmError(op, 102, 'there is no session');
    return this.#session;
  }

  /** Make a request, or hold it until there is a link. `settled` sees the answer before any later frame is read. */
  #request(session, op, members, settled) {
    return new Promise((resolve, reject) => {
      if (session.held.length >= HELD) throw new RtmError(op, 1, 'the link is lost and too much waits for it');
      const call = { op, members, settled, resolve, reject };
      call.timer = setTimeout(() => {
        session.held = session.held.filter((other) => other !== call);
        this.#fail(session, call, TIMEOUTS[op] ?? 1, 'the server gave no answer in time');
      }, this.#options.sendTimeout);
      if (session.link) this.#transmit(session, call);
      else session.held.push(call);
    });
  }

  // A request gets its id when it is sent, so that ids count upwards on the wire.
  #transmit(session, call) {
    call.id = ++this.#lastId;
    session.waiting.set(call.id, call);
    session.link.send({ kind: call.op, id: call.id, ...call.members });
  }

  #settle(session, call) {
    clearTimeout(call.timer);
    session.waiting.delete(call.id);
  }

  #fail(session, call, code, message) {
    this.#settle(session, call);
    call.reject(new RtmError(call.op, code, message, { indefinite: call.id !== undefined }));
  }

  /** Open a link and log in over it. When this resolves the session is in force and its link at work. */
  #attempt(session) {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      const named = [...this.#channels.values()].filter((channel) => channel.joined);
      const { ended, uid, token } = session;
      const link = new Link(this.#options.url);
      const stop = () => { link.close(1000); reject(ended.signal.reason); };
      ended.signal.addEventListener('abort', stop, { once: true });
      const timer = setTimeout(() => { link.close(1000); reject(new Lost(0)); }, this.#limits.login_timeout_ms);
      const over = () => { clearTimeout(timer); ended.signal.removeEventListener('abort', stop); };

      link.onopen = () => link.send({
        kind: 'login', id, app_id: this.#options.appId, uid, ...(token && { token }),
        ...(session.id && {
          resume: {
            session: session.id, peer_seq: session.peerSeq,
            channels: named.map((channel) => ({ channel: channel.id, seq: channel.cursor })),
          },
        }),
      });
      link.onclose = (lost) => { over(); reject(lost); };
      link.onframe = (frame) => {
        if (frame.id !== id) return;
        if (frame.kind === 'error') {
          over();
          link.close(1000);
          reject(refusal('login', frame));
        } else if (frame.kind === 'login.ok') {
          over();
          this.#begin(session, link, frame, named);
          resolve();
        }
      };
    });
  }

  /** Take up the session over a link that has just logged in, before any further frame of it is read. */
  #begin(session, link, answer, named) {
    const resumed = answer.resumed === true;
    const first = session.id === '';
    const announced = Object.entries(answer.limits ?? {}).filter(([, value]) => Number.isInteger(value) && value > 0);
    this.#limits = { ...DEFAULT_LIMITS, ...Object.fromEntries(announced) };
    session.id = answer.session;
    if (!resumed) session.peerSeq = 0;
    session.acked = session.peerSeq;
    session.link = link;
    link.onframe = (frame) => this.#take(session, link, frame);
    link.onclose = (lost) => this.#lost(session, lost);
    const ping = () => ({ kind: 'ping', id: ++this.#lastId });
    link.watch(this.#limits.ping_interval_ms, this.#limits.reconnect_threshold_ms, ping);

    // Answers to what an earlier link carried do not come any more, but for those to peer messages of a resumed session.
    for (const call of [...session.waiting.values()]) {
      if (resumed && call.op === 'peer.send') continue;
      this.#fail(session, call, TIMEOUTS[call.op] ?? 1, 'the link was lost before the answer came');
    }
    for (const channel of this.#channels.values()) {
      if (channel.joined && (!resumed || answer.missing?.includes(channel.id))) this.#rejoin(session, channel);
    }
    for (const channel of named) {
      if (resumed && !channel.joined) this.#request(session, 'channel.leave', { channel: channel.id }).catch(() => {});
    }
    for (const call of session.held.splice(0)) this.#transmit(session, call);

    this.#session = session;
    this.#loggingIn = undefined;
    if (first || this.#state === 'RECONNECTING') this.#setState('CONNECTED', 'LOGIN_SUCCESS');
  }

  async #rejoin(session, channel) {
    // A server that lost the channel counts anew.
    const joined = ({ seq }) => { channel.cursor = Math.min(channel.cursor, seq); };
    try {
      await this.#request(session, 'channel.join', { channel: channel.id, after: channel.cursor }, joined);
    } catch (error) {
      if (!channel.joined || this.#session !== session || error.code === 6) return;
      // Too often, or no answer: later again. Anything else is a refusal for good.
      if (error.indefinite || error.code === 7 || error.code === 8 || error.code === 1) {
        const again = () => { if (channel.joined && session.link) this.#rejoin(session, channel); };
        sleep(1000, null, { signal: session.ended.signal }).then(again, () => {});
      } else {
        channel.free();
      }
    }
  }

  /** Take one frame of the server. */
  #take(session, link, frame) {
    const channel = this.#channels.get(frame.channel);
    const member = channel?.joined && frame.uid !== session.uid ? channel : undefined;
    switch (frame.kind) {
      default: {
        const call = session.waiting.get(frame.id);
        if (call && frame.kind === 'error') {
          this.#settle(session, call);
          call.reject(refusal(call.op, frame));
        } else if (call && frame.kind === call.op + '.ok') {
          this.#settle(session, call);
          call.settled?.(frame);
          call.resolve(frame);
        }
        return;
      }
      case 'peer.message': {
        if (frame.seq <= session.peerSeq) return;
        session.peerSeq = frame.seq;
        setImmediate(() => this.#acknowledge(session, link));
        const message = RtmMessage.from(frame);
        if (message) this.emit('MessageFromPeer', message, frame.from);
        return;
      }
      case 'channel.message': {
        if (!channel?.joined || frame.seq <= channel.cursor) return;
        channel.cursor = frame.seq;
        const message = RtmMessage.from(frame);
        if (message) channel.emit('ChannelMessage', message, frame.from);
        return;
      }
      case 'channel.member_joined': member?.emit('MemberJoined', frame.uid); return;
      case 'channel.member_left': member?.emit('MemberLeft', frame.uid); return;
      case 'channel.member_count': if (channel?.joined) channel.emit('MemberCountUpdated', frame.count); return;
      case 'token.will_expire': this.emit('TokenPrivilegeWillExpire'); return;
      case 'login.kicked': this.#end('ABORTED', KICKS.includes(frame.reason) ? frame.reason : 'INTERRUPTED');
    }
  }

  // One acknowledgement covers all that one turn of the event loop brought.
  #acknowledge(session, link) {
    if (session.link !== link || session.acked >= session.peerSeq) return;
    session.acked = session.peerSeq;
    link.send({ kind: 'peer.ack', seq: session.acked });
  }

  /** Get the session a new link, again and again until it works or the session is over. */
  async #lost(session, lost) {
    if (this.#session !== session) return;
    if (lost.terminal) return this.#end('ABORTED', lost.reason);
    session.link = undefined;
    for (const call of [...session.waiting.values()]) {
      // Neither needs an answer any more: the channel is not named in the resume, and no resume follows a logout.
      if (call.op === 'logout' || call.op === 'channel.leave') { this.#settle(session, call); call.resolve({}); }
    }
    if (session.leaving) return;

    let say;
    const said = new Promise((resolve) => { say = resolve; });
    const timer = setTimeout(() => { this.#setState('RECONNECTING', 'INTERRUPTED'); say(); },
      lost.since + this.#limits.reconnect_threshold_ms - Date.now());
    const { signal } = session.ended;
    if (lost.lasted > 10000) session.tries = 0;
    let told = false;
    try {
      for (let last = lost; ; ) {
        if (last.later) session.tries = Math.max(session.tries, 5);
        const { token } = session;
        try {
          await this.#pause(session);
          await this.#attempt(session);
          return;
        } catch (error) {
          signal.throwIfAborted();
          last = error;
        }
        if (last.terminal) return this.#end('ABORTED', last.reason);
        if (last.op !== 'login' || last.code !== 6) continue;
        // The token has ended: nothing helps but a new one.
        await Promise.race([said, session.over]);
        if (!told) this.emit('TokenExpired');
        told = true;
        const renewed = new Promise((resolve) => { session.renewed = resolve; });
        if (session.token === token) await Promise.race([renewed, session.over]);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The first try comes at once, the next ones after growing and jittered pauses. */
  async #pause(session) {
    const tries = session.tries++;
    const pause = Math.min(5000, 50 * 2 ** tries) * (0.5 + Math.random() / 2);
    if (tries > 0) await sleep(pause, null, { signal: session.ended.signal });
  }

  #end(state, reason) {
    const session = this.#session;
    this.#session = undefined;
    session.ended.abort(new Error('the session is over'));
    session.link?.close(1000);
    for (const call of [...session.waiting.values(), ...session.held]) {
      this.#fail(session, call, 1, `the session ended (${reason})`);
    }
    for (const channel of [...this.#channels.values()]) channel.free();
    if (reason === 'TOKEN_EXPIRED') this.emit('TokenExpired');
    this.#setState(state, reason);
  }
}

function refusal(op, { code, name, message }) {
  return new RtmError(op, code, message, { name });
}

/**
 * A channel object. Events: ChannelMessage (message, uid), MemberJoined (uid), MemberLeft (uid), MemberCountUpdated
 * (count).
 */
class RtmChannel extends Emitter {
  #client;

  constructor(id, client) {
    super();
    this.id = id;
    this.joined = false;
    this.cursor = 0; // the highest seq seen
    this.#client = client;
  }

  async join() {
    const { channels, limits, need, request } = this.#client;
    const session = need('channel.join');
    const other = channels.get(this.id);
    if (other === this) throw new RtmError('channel.join', 6, 'the channel is joined, or will be soon');
    if (other) throw new RtmError('channel.join', 202, 'another object of this channel is joined');
    if (channels.size >= limits().channels) throw new RtmError('channel.join', 5, 'leave another channel first');
    channels.set(this.id, this);
    const joined = ({ seq }) => { this.joined = true; this.cursor = seq; };
    try {
      await request(session, 'channel.join', { channel: this.id }, joined);
    } catch (error) {
      if (!session.ended.signal.aborted) this.free();
      throw error;
    }
  }

  /** Leave the channel. No event of it comes from now on. */
  async leave() {
    const { need, request } = this.#client;
    const session = need('channel.leave');
    if (!this.joined) throw new RtmError('channel.leave', 3, 'the channel is not joined');
    this.free();
    // Without a link there is nothing to send: the resume leaves what it does not name.
    if (session.link) await request(session, 'channel.leave', { channel: this.id });
  }

  async sendMessage(message) {
    const { limits, need, request } = this.#client;
    const session = need('channel.send');
    const payload = RtmMessage.payload(message, limits());
    if (!payload) throw new RtmError('channel.send', 4, 'this is no message that can be sent');
    if (!this.joined) throw new RtmError('channel.send', 5, 'the channel is not joined');
    await request(session, 'channel.send', { channel: this.id, ...payload });
  }

  /** Returns the uids of the members. */
  async getMembers() {
    const { need, request } = this.#client;
    const session = need('channel.members');
    if (!this.joined) throw new RtmError('channel.members', 5, 'the channel is not joined');
    return (await request(session, 'channel.members', { channel: this.id })).members;
  }

  free() {
    this.joined = false;
    if (this.#client.channels.get(this.id) === this) this.#client.channels.delete(this.id);
  }
}
