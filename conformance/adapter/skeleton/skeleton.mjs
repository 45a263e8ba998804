// An adapter between rtmkit's conformance suite and a client SDK, for Node 20 or later.
//
// As it stands it passes the handshake and answers everything else "unsupported". Fill in part one, claim profiles in
// `about`, and judge the SDK with
//
//     rtmkit conform run --client -- node adapter.mjs
//
// The protocol is conformance/adapter/ADAPTER.md: commands come as JSON lines on stdin, replies and events go out as
// JSON lines on stdout. An adapter obeys and reports; it never judges, repeats or mends what the SDK does.

// ---------------------------------------------------------------------------------------------------------------------
// Part one: yours. Each TODO is one call of your SDK. A method that still throws `unsupported` is a feature that the SDK
// does not have, and the suite then does not judge what needs it.

// TODO: import AcmeRtm from 'acme-rtm';

const about = {
  sdk: 'TODO', // the name of your SDK
  version: '0.0.0', // TODO: its version
  language: 'javascript',
  profiles: [], // TODO: what it claims to keep: core, channels, limits, tokens, order, reconnect
  // timeouts: { login_ms: 12000, send_ms: 10000 }, // TODO: only if your SDK does not let its user choose them
};

class Client {
  // Make a client of your SDK; open no connection. The timeouts {login_ms, send_ms} are wishes; either may be missing.
  create(url, appId, timeouts) {
    throw unsupported; // TODO: this.sdk = new AcmeRtm(appId, { url, loginTimeout: timeouts.login_ms });
  }

  // Register one listener for every event of the client. `tell` writes an event; `received` keeps a received message
  // under a handle and returns the members that describe it.
  listen(tell) {
    throw unsupported;
    // TODO:
    // this.sdk.on('ConnectionStateChanged', (state, reason) => tell('ConnectionStateChanged', { state, reason }));
    // this.sdk.on('MessageFromPeer', (message, from) => tell('MessageFromPeer', { from, ...this.received(message) }));
    // this.sdk.on('TokenExpired', () => tell('TokenExpired'));
    // this.sdk.on('TokenPrivilegeWillExpire', () => tell('TokenPrivilegeWillExpire'));
  }

  removeAllListeners() {
    throw unsupported; // TODO: this.sdk.removeAllListeners();
  }

  // Return the state as the API writes it: DISCONNECTED, CONNECTING, CONNECTED, RECONNECTING or ABORTED.
  state() {
    throw unsupported; // TODO: return this.sdk.connectionState;
  }

  // An empty token stands for none.
  async login(uid, token) {
    throw unsupported; // TODO: await this.sdk.login({ uid, token: token || undefined });
  }

  async logout() {
    throw unsupported; // TODO: await this.sdk.logout();
  }

  async renewToken(token) {
    throw unsupported; // TODO: await this.sdk.renewToken(token);
  }

  // Make a message object: of a text, or of bytes (a Buffer) with a description when text is undefined.
  createMessage(text, raw, description) {
    throw unsupported;
    // TODO: return text === undefined ? this.sdk.createRaw(raw, description) : this.sdk.createText(text);
  }

  // Return hasPeerReceived. A message of null stands for something that is no message: give it to the SDK as it is.
  async sendPeer(to, message) {
    throw unsupported; // TODO: return (await this.sdk.sendMessageToPeer(message, to)).hasPeerReceived;
  }

  // Return an object from channel id to number.
  async memberCounts(ids) {
    throw unsupported; // TODO: return await this.sdk.getChannelMemberCount(ids);
  }

  // Give up everything the client holds, whatever its state. Nothing judges this, but it must be done somehow.
  async close() {
    throw unsupported; // TODO: await this.sdk.destroy();
  }

  // Describe a message that came from the SDK, and keep the object itself, since what the suite may send back is that.
  received(message) {
    return {
      message: keep(this, message),
      // TODO: server_received_ms: message.serverReceivedTs, and either
      // TODO: text: message.text, or
      // TODO: raw: Buffer.from(message.raw).toString('base64'), description: message.description,
    };
  }
}

class Channel {
  // Make a channel object of your SDK, which joins nothing. `this.client.sdk` is the client.
  create(id) {
    throw unsupported; // TODO: this.sdk = this.client.sdk.createChannel(id);
  }

  listen(tell) {
    throw unsupported;
    // TODO:
    // const { client } = this;
    // this.sdk.on('ChannelMessage', (message, from) => tell('ChannelMessage', { from, ...client.received(message) }));
    // this.sdk.on('MemberJoined', (uid) => tell('MemberJoined', { uid }));
    // this.sdk.on('MemberLeft', (uid) => tell('MemberLeft', { uid }));
    // this.sdk.on('MemberCountUpdated', (count) => tell('MemberCountUpdated', { count }));
  }

  removeAllListeners() {
    throw unsupported; // TODO: this.sdk.removeAllListeners();
  }

  async join() {
    throw unsupported; // TODO: await this.sdk.join();
  }

  async leave() {
    throw unsupported; // TODO: await this.sdk.leave();
  }

  async send(message) {
    throw unsupported; // TODO: await this.sdk.sendMessage(message);
  }

  // Return the uids of the members.
  async members() {
    throw unsupported; // TODO: return await this.sdk.getMembers();
  }
}

// Turn what a call of the SDK threw into {code, name} as the table of errors in PROTOCOL.md lists them for `op`, such as
// "peer.send"; where it lists none, 0 and ''. `native` is what the SDK said, for reports; `indefinite: true` says that
// the outcome is unknown. What is no error of the SDK is a fault of this program: throw it again.
function failure(op, error) {
  // TODO: if (error instanceof AcmeError) return { code: error.code, name: error.name, native: error.message };
  throw error;
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
