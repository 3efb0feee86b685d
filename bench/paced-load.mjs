// A client that asks at a steady rate. h2load sends what is due once in 10 ms, and measures its own queue; node:http2 takes as
// much of a processor for a request as the server does. So this writes frames (RFC 9113) that are the same but for the
// stream's number, and reads of an answer that it ends.
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { path } from './request.mjs';

const FRAME = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8 };
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const INITIAL_WINDOW_SIZE = 65_535;
const MAX_CONCURRENT_STREAMS = 3;

/** Milliseconds at the beginning that are left out: connections are made then. */
const SETTLING = 500;

/**
 * @param body a CheckRequest, framed
 * @param rate requests a second
 * @returns milliseconds from when each request was due to its answer's end, once the run had settled
 */
export async function latenciesAt(server, body, { rate, seconds, connections = 2 }) {
  const clients = await Promise.all(
    Array.from({ length: connections }, () => openConnection(server.address, body)),
  );
  const times = [];
  const began = performance.now();
  let sent = 0;
  let passed = 0;
  while (passed < seconds * 1000 + SETTLING) {
    for (; sent < (passed * rate) / 1000; sent++) {
      const due = performance.now();
      const settled = passed >= SETTLING;
      clients[sent % connections].ask(() => settled && times.push(performance.now() - due));
    }
    await sleep(1);
    passed = performance.now() - began;
  }
  await Promise.all(clients.map((client) => client.end()));
  return times;
}

async function openConnection(address, body) {
  const [host, port] = address.split(':');
  const socket = connect({ host, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  const question = Buffer.concat([
    frame(FRAME.HEADERS, END_HEADERS, headerBlock(address)),
    frame(FRAME.DATA, END_STREAM, body),
  ]);
  const dataAt = question.length - body.length - 9;
  const waiting = [];
  const underWay = new Map();
  let nextStream = 1;
  let window = INITIAL_WINDOW_SIZE;
  let most = 100;
  let drained = () => {};

  function send() {
    while (waiting.length > 0 && window >= body.length && underWay.size < most) {
      const bytes = Buffer.from(question);
      bytes.writeUInt32BE(nextStream, 5);
      bytes.writeUInt32BE(nextStream, dataAt + 5);
      underWay.set(nextStream, waiting.shift());
      nextStream += 2;
      window -= body.length;
      socket.write(bytes);
    }
  }

  const fail = (what) => socket.destroy(new Error(`${address}: ${what}`));
  socket.on('error', (error) => {
    throw error;
  });

  function take(type, flags, stream, payload) {
    if (type === FRAME.SETTINGS && !(flags & ACK)) {
      for (let at = 0; at < payload.length; at += 6)
        if (payload.readUInt16BE(at) === MAX_CONCURRENT_STREAMS) most = payload.readUInt32BE(at + 2);
      socket.write(frame(FRAME.SETTINGS, ACK, Buffer.alloc(0)));
    } else if (type === FRAME.PING && !(flags & ACK)) socket.write(frame(FRAME.PING, ACK, payload));
    else if (type === FRAME.WINDOW_UPDATE && stream === 0) window += payload.readUInt32BE(0);
    else if (type === FRAME.RST_STREAM && payload.readUInt32BE(0) !== 0) fail('a request was refused');
    else if (type === FRAME.GOAWAY) fail('it goes away');
    else if ((type === FRAME.HEADERS || type === FRAME.DATA) && flags & END_STREAM) {
      underWay.get(stream)();
      underWay.delete(stream);
      if (underWay.size + waiting.length === 0) drained();
    }
  }

  let rest = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= 9) {
      const end = at + 9 + rest.readUIntBE(at, 3);
      if (rest.length < end) break;
      take(rest[at + 3], rest[at + 4], rest.readUInt32BE(at + 5), rest.subarray(at + 9, end));
      at = end;
    }
    rest = rest.subarray(at);
    send();
  });

  const more = Buffer.alloc(4);
  more.writeUInt32BE(2 ** 31 - 1 - INITIAL_WINDOW_SIZE);
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(frame(FRAME.SETTINGS, 0, Buffer.alloc(0)));
  socket.write(frame(FRAME.WINDOW_UPDATE, 0, more));
  return {
    ask(answered) {
      waiting.push(answered);
      send();
    },
    async end() {
      if (underWay.size + waiting.length > 0) await new Promise((resolve) => (drained = resolve));
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

/** RFC 7541: POST and http out of the static table, the rest as literals without indexing. */
function headerBlock(address) {
  const text = (value) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  const [AUTHORITY, PATH] = [1, 4];
  return Buffer.concat([
    Buffer.from([0x83, 0x86, PATH]),
    text(path),
    Buffer.from([AUTHORITY]),
    text(address),
    Buffer.from([0x0f, 31 - 15]),
    text('application/grpc'),
    Buffer.from([0]),
    text('te'),
    text('trailers'),
  ]);
}
