// A client that asks at a steady rate. h2load sends what is due once in 10 ms, and measures its own queue; node:http2 takes as
// much of a processor for a request as the server does. So this writes frames (RFC 9113) that are the same but for the
// stream's number, and reads of an answer that it ends. It keeps its buffers: a collection of its own garbage, 5 to 10 ms each,
// would be told as the server's latency.
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { path } from './request.mjs';

const FRAME = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8 };
const HEAD = 9;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const INITIAL_WINDOW_SIZE = 65_535;
const MAX_CONCURRENT_STREAMS = 3;

/** Milliseconds at the beginning that are left out: connections are made then. */
const SETTLING = 500;

/** Requests that are written at once, and those that may have no answer yet. */
const BATCH = 16;
const UNANSWERED = 1 << 16;

/**
 * @param body a CheckRequest, framed
 * @param rate requests a second
 * @returns milliseconds from when each request was due to its answer's end, once the run had settled
 */
export async function latenciesAt(server, body, { rate, seconds, connections = 2 }) {
  const times = [];
  let began = Infinity;
  const whenAnswered = (due) => {
    if (due - began >= SETTLING) times.push(performance.now() - due);
  };
  const clients = await Promise.all(
    Array.from({ length: connections }, () => openConnection(server.address, body, whenAnswered)),
  );
  began = performance.now();
  let asked = 0;
  let passed = 0;
  while (passed < seconds * 1000 + SETTLING) {
    for (; asked < (passed * rate) / 1000; asked++) clients[asked % connections].ask();
    for (const client of clients) client.send();
    await sleep(1);
    passed = performance.now() - began;
  }
  await Promise.all(clients.map((client) => client.end()));
  return times;
}

async function openConnection(address, body, whenAnswered) {
  const [host, port] = address.split(':');
  const read = Buffer.alloc(128 * 1024);
  let filled = 0;
  const onread = { buffer: () => read.subarray(filled), callback: takeAll };
  const socket = connect({ host, port: Number(port), noDelay: true, onread });
  await once(socket, 'connect');
  const fail = (what) => socket.destroy(new Error(`${address}: ${what}`));
  socket.on('error', (error) => {
    throw error;
  });

  const headers = headerBlocks(address);
  const asks = (block) =>
    Buffer.concat([frame(FRAME.HEADERS, END_HEADERS, block), frame(FRAME.DATA, END_STREAM, body)]);
  const question = asks(headers.later);
  const dataAt = question.length - body.length - HEAD;
  const batches = [];
  /** When the request was due, which is the first one, the second, and so on of its connection. */
  const due = new Float64Array(UNANSWERED);
  let asked = 0;
  let sent = 0;
  let answered = 0;
  let window = INITIAL_WINDOW_SIZE;
  let most = 100;
  let drained = () => {};

  function send() {
    for (;;) {
      const room = Math.min(Math.floor(window / body.length), most - (sent - answered));
      const count = Math.min(asked - sent, room, BATCH);
      if (count <= 0) return;
      const batch = batches.pop() ?? Buffer.concat(Array.from({ length: BATCH }, () => question));
      const end = count * question.length;
      for (let at = 0; at < end; at += question.length) {
        const stream = 2 * sent++ + 1;
        batch.writeUInt32BE(stream, at + 5);
        batch.writeUInt32BE(stream, at + dataAt + 5);
      }
      window -= count * body.length;
      socket.write(batch.subarray(0, end), () => batches.push(batch));
    }
  }

  function take(type, flags, stream, at, end) {
    if (type === FRAME.SETTINGS && !(flags & ACK)) {
      for (; at < end; at += 6)
        if (read.readUInt16BE(at) === MAX_CONCURRENT_STREAMS) most = read.readUInt32BE(at + 2);
      socket.write(frame(FRAME.SETTINGS, ACK, Buffer.alloc(0)));
    } else if (type === FRAME.PING && !(flags & ACK))
      socket.write(frame(FRAME.PING, ACK, Buffer.from(read.subarray(at, end))));
    else if (type === FRAME.WINDOW_UPDATE && stream === 0) window += read.readUInt32BE(at);
    else if (type === FRAME.RST_STREAM && read.readUInt32BE(at) !== 0) fail('a request was refused');
    else if (type === FRAME.GOAWAY) fail('it goes away');
    else if ((type === FRAME.HEADERS || type === FRAME.DATA) && flags & END_STREAM) {
      answered++;
      whenAnswered(due[((stream - 1) / 2) % UNANSWERED]);
      if (answered === asked) drained();
    }
  }

  function takeAll(bytes) {
    filled += bytes;
    let at = 0;
    while (filled - at >= HEAD) {
      const end = at + HEAD + read.readUIntBE(at, 3);
      if (filled < end) break;
      take(read[at + 3], read[at + 4], read.readUInt32BE(at + 5), at + HEAD, end);
      at = end;
    }
    read.copyWithin(0, at, filled);
    filled -= at;
    send();
    return true;
  }

  const more = Buffer.alloc(4);
  more.writeUInt32BE(2 ** 31 - 1 - INITIAL_WINDOW_SIZE);
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(frame(FRAME.SETTINGS, 0, Buffer.alloc(0)));
  socket.write(frame(FRAME.WINDOW_UPDATE, 0, more));

  function ask() {
    if (asked - answered === UNANSWERED) fail(`${UNANSWERED} requests have no answer`);
    due[asked++ % UNANSWERED] = performance.now();
  }

  /** The connection's first request, which says its headers in full. */
  function introduce() {
    ask();
    const first = asks(headers.first);
    first.writeUInt32BE(1, 5);
    first.writeUInt32BE(1, first.length - body.length - 4);
    window -= body.length;
    sent++;
    socket.write(first);
  }

  introduce();
  return {
    send,
    ask,
    async end() {
      if (answered < asked) await new Promise((resolve) => (drained = resolve));
      socket.end();
    },
  };
}

function frame(type, flags, payload) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  return Buffer.concat([head, payload]);
}

/**
 * RFC 7541: POST and http out of the static table. The rest is literal, to be indexed, the first time that a connection
 * says it; from then on it is indexes into the dynamic table, as from any client that keeps its connections.
 */
function headerBlocks(address) {
  const text = (value) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  const [METHOD_POST, SCHEME_HTTP] = [0x83, 0x86];
  const [AUTHORITY, PATH, CONTENT_TYPE] = [1, 4, 31];
  const INCREMENTAL = 0x40;
  const literals = [
    Buffer.from([INCREMENTAL | PATH]),
    text(path),
    Buffer.from([INCREMENTAL | AUTHORITY]),
    text(address),
    Buffer.from([INCREMENTAL | CONTENT_TYPE]),
    text('application/grpc'),
    Buffer.from([INCREMENTAL]),
    text('te'),
    text('trailers'),
  ];
  const [INDEXED, NEWEST] = [0x80, 62];
  const indexes = [3, 2, 1, 0].map((older) => INDEXED | (NEWEST + older));
  const known = [METHOD_POST, SCHEME_HTTP];
  return {
    first: Buffer.concat([Buffer.from(known), ...literals]),
    later: Buffer.from([...known, ...indexes]),
  };
}
