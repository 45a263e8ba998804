// One connection: frames in and out, pings, silence, and how it ended.

const REASONS = { 4200: 'REMOTE_LOGIN', 4201: 'BANNED_BY_SERVER', 4202: 'TOKEN_EXPIRED', 4203: 'REMOTE_LOGIN' };

// Why a link is no more. The code is that of its close frame, 0 when there was none.
export class Lost extends Error {
  constructor(code, since = Date.now(), lasted = 0) {
    super(`the link was lost with ${code}`);
    this.code = code;
    this.since = since; // of the close, or of the last contact when it fell silent
    this.lasted = lasted;
    this.terminal = (code >= 4200 && code <= 4299) || [1003, 1007, 1009].includes(code);
    this.later = code >= 4100 && code <= 4199;
    this.reason = REASONS[code] ?? 'INTERRUPTED'; // for ABORTED, when it is terminal
  }
}

export class Link {
  #socket;
  #opened = Date.now();
  #contact = Date.now();
  #ping;
  #silence;

  /** The handlers onopen, onframe and onclose are set by the user. onclose is called once, and not after close(). */
  constructor(url) {
    this.#socket = new WebSocket(url, ['rtm.v1.json']);
    this.#socket.onopen = () => {
      if (this.#socket.protocol === 'rtm.v1.json') this.onopen();
      else this.#drop(1000, 0);
    };
    this.#socket.onmessage = ({ data }) => {
      this.#contact = Date.now();
      this.#silence?.refresh();
      let frame;
      try {
        frame = decode(data);
      } catch {
        this.#drop(4204, 0); // bad frame: reconnect as after a lost link
        return;
      }
      this.onframe(frame);
    };
    // After a handshake that failed, some releases of Node tell of the error and never of a close.
    this.#socket.onerror = () => { if (this.#socket.readyState !== WebSocket.OPEN) this.#over(0); };
    this.#socket.onclose = ({ code }) => this.#over(code === 1005 || code === 1006 ? 0 : code);
  }

  /** Begin to ping, and to give the link up when nothing comes. */
  watch(interval, threshold, ping) {
    this.#ping = setTimeout(() => this.send(ping()), interval);
    this.#silence = setTimeout(() => {
      // A busy process runs its timers before it reads: only what is silent after the read is silent.
      setImmediate(() => {
        const silent = Date.now() - this.#contact;
        if (silent >= threshold) this.#drop(1000, 0, this.#contact);
        else this.#silence.refresh();
      });
    }, threshold);
  }

  send(frame) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
    this.#ping?.refresh();
  }

  close(code) {
    this.onclose = undefined;
    this.#drop(code, 0);
  }

  #drop(code, cause, since) {
    this.#socket.onmessage = this.#socket.onclose = this.#socket.onopen = null;
    this.#socket.close(code);
    this.#over(cause, since);
  }

  #over(code, since = Date.now()) {
    clearTimeout(this.#ping);
    clearTimeout(this.#silence);
    this.#ping = this.#silence = undefined;
    const tell = this.onclose;
    this.onclose = undefined;
    tell?.(new Lost(code, since, Date.now() - this.#opened));
  }
}

const count = (value) => Number.isSafeInteger(value) && value >= 0;
const string = (value) => typeof value === 'string';
const flag = (value) => typeof value === 'boolean';
const list = (item) => (value) => Array.isArray(value) && value.every(item);
// An object whose defined members are right and whose others differ from them in more than case.
const object = (defined) => (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
  && Object.entries(value).every(([name, member]) => (
    Object.hasOwn(defined, name) ? defined[name](member) : !Object.hasOwn(defined, name.toLowerCase())));

const numbers = [
  'channels', 'message_bytes', 'id_bytes', 'frame_bytes', 'members', 'count_channels', 'replay_messages', 'replay_ms',
  'session_grace_ms', 'reconnect_threshold_ms', 'ack_timeout_ms', 'ping_interval_ms', 'silence_ms', 'login_timeout_ms',
  'token_notice_ms', 'count_interval_ms', 'count_interval_large_ms',
];
const limits = {
  ...Object.fromEntries(numbers.map((name) => [name, count])),
  calls: list(object({ call: string, count, window_ms: count })),
};

// The members of each frame that a server sends, besides `kind` and `id`.
const payload = { text: string, raw: string, description: string };
const frames = {
  error: { op: string, code: count, name: string, message: string },
  pong: {},
  'login.ok': {
    session: string, resumed: flag, server_ts: count, server: object({ name: string, version: string }),
    limits: object(limits), missing: list(string),
  },
  'logout.ok': {},
  'login.kicked': { reason: string },
  'token.will_expire': { left_ms: count },
  'token.renew.ok': {},
  'peer.send.ok': { received: flag },
  'peer.message': { seq: count, from: string, ts: count, ...payload },
  'channel.join.ok': { seq: count, count },
  'channel.leave.ok': {},
  'channel.send.ok': {},
  'channel.message': { channel: string, from: string, seq: count, ts: count, ...payload },
  'channel.members.ok': { members: list(string) },
  'channel.count.ok': { counts: list(count) },
  'channel.member_joined': { channel: string, uid: string },
  'channel.member_left': { channel: string, uid: string },
  'channel.member_count': { channel: string, count },
};
const answers = Object.keys(frames).filter((kind) => kind.endsWith('.ok'));
const requests = ['ping', 'peer.ack', ...answers.map((kind) => kind.slice(0, -'.ok'.length))];

/** Read a frame strictly. Throws for what two readers could understand differently. */
export function decode(text) {
  if (typeof text !== 'string') throw new Error('a binary message');
  const frame = JSON.parse(text, function member(name, value) {
    if (!name.isWellFormed() || (string(value) && !value.isWellFormed())) throw new Error('half a surrogate pair');
    return value === null && !Array.isArray(this) ? undefined : value; // null counts as an absent member
  });
  if (!object({ kind: string })(frame) || frame.kind === undefined) throw new Error('no frame');
  repeated(text);
  if (requests.includes(frame.kind)) throw new Error('a kind of the other direction');
  if (!Object.hasOwn(frames, frame.kind)) return frame;
  if (!object({ kind: string, id: count, ...frames[frame.kind] })(frame)) throw new Error('a bad member');
  if ((answers.includes(frame.kind) || frame.kind === 'pong') && !frame.id) throw new Error('an answer without an id');
  return frame;
}

// JSON.parse lets the last of two equal names win, so they are looked for here, in a text that is known to be JSON.
function repeated(text) {
  const open = [];
  for (const [token, , colon] of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (colon) {
      const name = JSON.parse(token.slice(0, -colon.length));
      if (open.at(-1).has(name)) throw new Error(`the member ${name} stands twice`);
      open.at(-1).add(name);
    }
  }
}
