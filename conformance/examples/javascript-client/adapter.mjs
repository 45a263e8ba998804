// The adapter between rtmkit's conformance suite and the client in rtm.mjs: the skeleton that `rtmkit adapter skeleton
// javascript` prints, filled in.

// ---------------------------------------------------------------------------------------------------------------------
// Part one: the calls of the client.

import { RtmClient } from './rtm.mjs';
import { RtmError } from './errors.mjs';

const about = {
  sdk: 'rtmkit JavaScript example',
  version: '0.1.0',
  language: 'javascript',
  profiles: ['core', 'channels', 'limits', 'tokens', 'order', 'reconnect'],
};

class Client {
  create(url, appId, timeouts) {
    this.sdk = new RtmClient({ url, appId, loginTimeout: timeouts.login_ms, sendTimeout: timeouts.send_ms });
  }

  listen(tell) {
    this.sdk.on('ConnectionStateChanged', (state, reason) => tell('ConnectionStateChanged', { state, reason }));
    this.sdk.on('MessageFromPeer', (message, from) => tell('MessageFromPeer', { from, ...this.received(message) }));
    this.sdk.on('TokenExpired', () => tell('TokenExpired'));
    this.sdk.on('TokenPrivilegeWillExpire', () => tell('TokenPrivilegeWillExpire'));
  }

  removeAllListeners() { this.sdk.removeAllListeners(); }

  state() { return this.sdk.connectionState; }

  async login(uid, token) { await this.sdk.login(uid, token); }

  async logout() { await this.sdk.logout(); }

  async renewToken(token) { await this.sdk.renewToken(token); }

  createMessage(text, raw, description) {
    return text === undefined ? this.sdk.createRaw(raw, description) : this.sdk.createText(text);
  }

  async sendPeer(to, message) { return this.sdk.sendMessageToPeer(message, to); }

  async memberCounts(ids) { return this.sdk.getChannelMemberCount(ids); }

  async close() { this.sdk.close(); }

  received(message) {
    const { text, raw, description, serverReceivedTs } = message;
    const content = raw ? { raw: raw.toString('base64'), description } : { text };
    return { message: keep(this, message), server_received_ms: serverReceivedTs, ...content };
  }
}

class Channel {
  create(id) { this.sdk = this.client.sdk.createChannel(id); }

  listen(tell) {
    this.sdk.on('ChannelMessage', (message, from) => tell('ChannelMessage', { from, ...this.client.received(message) }));
    this.sdk.on('MemberJoined', (uid) => tell('MemberJoined', { uid }));
    this.sdk.on('MemberLeft', (uid) => tell('MemberLeft', { uid }));
    this.sdk.on('MemberCountUpdated', (count) => tell('MemberCountUpdated', { count }));
  }

  removeAllListeners() { this.sdk.removeAllListeners(); }

  async join() { await this.sdk.join(); }

  async leave() { await this.sdk.leave(); }

  async send(message) { await this.sdk.sendMessage(message); }

  async members() { return this.sdk.getMembers(); }
}

function failure(op, error) {
  if (!(error instanceof RtmError)) throw error;
  return { code: error.code, name: error.name, native: error.message, ...(error.indefinite && { indefinite: true }) };
}

// ---------------------------------------------------------------------------------------------------------------------
// Part two: the protocol. There should be nothing to change.

// Only replies and events may stand on stdout, so what an SDK prints goes to stderr.
console.log = console.info = console.debug = console.error;

const unsupported = new Error('unsupported');
const clients = new Map(); // by handle
const channels = new Map();

const write = (line) => process.stdout.write(JSON.stringify(line) + '\n');

function die(text) {
  process.stderr.write(`adapter: ${text}\n`);
  process.exit(1);
}

// Commands of a profile that is not claimed are unsupported, whatever part one can do.
const profileOf = {
  renewToken: 'tokens', memberCounts: 'channels', createChannel: 'channels', joinChannel: 'channels',
  leaveChannel: 'channels', sendChannel: 'channels', members: 'channels',
};

// What each command does. `op` is what an error of it is about; what `run` returns is the reply.
const commands = {
  hello: {
    run(c) {
      if (c.protocol !== 1) throw unsupported;
      return about;
    },
  },
  createClient: {
    op: 'client.new',
    async run(c) {
      const client = add(clients, text(c, 'client'), new Client());
      client.messages = new Map();
      await orForget(clients, c.client, () => client.create(text(c, 'url'), text(c, 'app_id'), c.timeouts ?? {}));
    },
  },
  listen: { run: (c) => subjectOf(c).listen(teller(c, text(c, 'listener'))) },
  removeAllListeners: { run: (c) => subjectOf(c).removeAllListeners() },
  state: { run: async (c) => ({ state: await clientOf(c).state() }) },
  login: { op: 'login', run: (c) => clientOf(c).login(text(c, 'uid'), text(c, 'token')) },
  logout: { op: 'logout', run: (c) => clientOf(c).logout() },
  renewToken: { op: 'token.renew', run: (c) => clientOf(c).renewToken(text(c, 'token')) },
  createMessage: {
    run(c) {
      const client = clientOf(c);
      const content = c.text === undefined
        ? [undefined, Buffer.from(text(c, 'raw'), 'base64'), c.description ?? ''] : [text(c, 'text')];
      let message;
      try {
        message = client.createMessage(...content);
      } catch (error) {
        if (error === unsupported) throw error;
        message = new Refused(error);
      }
      add(client.messages, text(c, 'message'), message);
    },
  },
  sendPeer: {
    op: 'peer.send',
    run: async (c) => ({ hasPeerReceived: await clientOf(c).sendPeer(text(c, 'to'), messageOf(c, clientOf(c))) }),
  },
  memberCounts: { op: 'channel.count', run: async (c) => ({ counts: await clientOf(c).memberCounts(c.channels) }) },
  createChannel: {
    op: 'channel.new',
    async run(c) {
      const client = clientOf(c);
      const channel = add(channels, text(c, 'channel'), new Channel());
      channel.client = client;
      await orForget(channels, c.channel, () => channel.create(text(c, 'id')));
    },
  },
  joinChannel: { op: 'channel.join', run: (c) => channelOf(c).join() },
  leaveChannel: { op: 'channel.leave', run: (c) => channelOf(c).leave() },
  sendChannel: { op: 'channel.send', run: (c) => channelOf(c).send(messageOf(c, channelOf(c).client)) },
  members: { op: 'channel.members', run: async (c) => ({ members: await channelOf(c).members() }) },
  close: {
    async run(c) {
      const client = clientOf(c);
      clients.delete(c.client);
      for (const [handle, channel] of channels) if (channel.client === client) channels.delete(handle);
      await client.close();
    },
  },
};

// Begin a command at once; its reply is written when it settles, and later commands do not wait for that. All that part
// one does before its first `await` has happened when the next line is read, so commands begin in the order of their
// lines.
async function begin(c) {
  const command = Object.hasOwn(commands, c.cmd) ? commands[c.cmd] : undefined;
  const profile = profileOf[c.cmd];
  if (!command || (profile && !about.profiles.includes(profile))) return write({ seq: c.seq, unsupported: true });
  try {
    write({ seq: c.seq, ok: (await command.run(c)) ?? {} });
  } catch (error) {
    if (error === unsupported) return write({ seq: c.seq, unsupported: true });
    if (!command.op) throw error;
    let said;
    try {
      said = failure(command.op, error);
    } catch {
      die(`${c.cmd} threw what failure() does not take for an error of the SDK: ${error?.stack ?? error}`);
    }
    write({ seq: c.seq, error: { op: command.op, ...said } });
  }
}

// Return the function with which a listener tells its events.
function teller({ client, channel }, listener) {
  const whose = channel === undefined ? { client } : { channel };
  return (event, members) => write({ event, ...whose, listener, ...members });
}

// Give a received message a handle, by which the suite may name it until its client is closed.
let received = 0;
function keep(client, message) {
  const handle = `r${++received}`;
  client.messages.set(handle, message);
  return handle;
}

function add(objects, handle, object) {
  if (objects.has(handle)) die(`the handle "${handle}" is taken`);
  objects.set(handle, object);
  return object;
}

// A handle is known from its line on, and forgotten when the SDK refuses to make the object.
async function orForget(objects, handle, make) {
  try {
    await make();
  } catch (error) {
    if (error !== unsupported) objects.delete(handle);
    throw error;
  }
}

function text(c, member) {
  if (typeof c[member] !== 'string') die(`${c.cmd} has no text "${member}"`);
  return c[member];
}

function find(objects, c, member) {
  return objects.get(text(c, member)) ?? die(`${c.cmd} names the unknown ${member} "${c[member]}"`);
}

function clientOf(c) { return find(clients, c, 'client'); }
function channelOf(c) { return find(channels, c, 'channel'); }
function subjectOf(c) { return c.channel === undefined ? clientOf(c) : channelOf(c); }

// Stands for a message that the SDK refused to make: the refusal belongs to the sends of it.
class Refused {
  constructor(error) { this.error = error; }
}

function messageOf(c, client) {
  if (c.message === null) return null;
  const message = find(client.messages, c, 'message');
  if (message instanceof Refused) throw message.error;
  return message;
}

// Lines end with \n and nothing else: node:readline would also break them at U+2028, which may stand in a text.
let rest = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  for (const line of lines) {
    let command;
    try {
      command = JSON.parse(line);
    } catch (error) {
      die(`a line is not JSON: ${error.message}`);
    }
    if (!Number.isInteger(command?.seq) || typeof command.cmd !== 'string') die('a command has no seq or no cmd');
    begin(command).catch((error) => die(error?.stack ?? error));
  }
});
process.stdin.on('end', () => process.exit(0));
