/** A message: either a text, or bytes with a description. One that was received cannot be sent. */
export class RtmMessage {
  #received;

  constructor({ text, raw, description = '' }, receivedAt) {
    Object.assign(this, { text, raw, description, serverReceivedTs: receivedAt });
    this.#received = receivedAt !== undefined;
  }

  /** The members that carry a message of one's own, or undefined if this may not be sent. */
  static payload(message, limits) {
    if (!(message instanceof RtmMessage) || message.#received) return undefined;
    const { text, raw, description } = message;
    if (raw === undefined) {
      return typeof text === 'string' && text.isWellFormed() && Buffer.byteLength(text) <= limits.message_bytes
        ? { text } : undefined;
    }
    if (raw.length + Buffer.byteLength(description) > limits.message_bytes) return undefined;
    return { raw: Buffer.from(raw).toString('base64'), ...(description && { description }) };
  }

  /** The message that a frame brings, or undefined if it brings none. */
  static from({ text, raw, description, ts }) {
    if ((text === undefined) === (raw === undefined)) return undefined;
    if (raw === undefined) return description ? undefined : new RtmMessage({ text }, ts);
    const bytes = Buffer.from(raw, 'base64');
    return bytes.toString('base64') === raw ? new RtmMessage({ raw: bytes, description }, ts) : undefined;
  }
}
