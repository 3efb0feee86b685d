import { connect } from 'node:http2';
import { measured } from './h2load.mjs';
import { path, statusOf } from './request.mjs';

/**
 * Asks each question once, which h2load cannot: it sends one body. Every one has to be let through. What the client
 * costs is not counted, but it shows in the throughput.
 *
 * @param bodies CheckRequests, framed
 */
export function loadEach(server, bodies, { connections = 2, streams = 16 } = {}) {
  return measured(server, bodies.length, async () => {
    const began = performance.now();
    let next = 0;
    const sessions = Array.from({ length: connections }, () => connect(`http://${server.address}`));
    const ask = async (session) => {
      while (next < bodies.length) {
        const answer = await call(session, bodies[next++]);
        const { code = 0, message } = statusOf(answer) ?? {}; // protobuf leaves a zero out
        if (code !== 0) throw new Error(`measured are answers that allow: ${message}`);
      }
    };
    await Promise.all(sessions.flatMap((session) => Array.from({ length: streams }, () => ask(session))));
    for (const session of sessions) session.close();
    return (bodies.length / (performance.now() - began)) * 1000;
  });
}

function call(session, body) {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
    });
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => resolve(Buffer.concat(chunks)));
    stream.on('error', reject);
    stream.end(body);
  });
}
