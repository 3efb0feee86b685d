// The floor under every server on node:http2: one unary call, nothing read, the same answer always.
import { createServer } from 'node:http2';

const answer = Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x00]); // the prefix of a message, and CheckResponse { status {} }
const server = createServer();
server.on('stream', (stream) => {
  stream.resume();
  stream.on('end', () => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(answer);
  });
});
server.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
