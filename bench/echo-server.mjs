// The floor under every ext_authz server on grpc-js: it reads the bytes, decodes nothing, answers the same.
import { Server, ServerCredentials } from '@grpc/grpc-js';

const answer = Buffer.from([0x0a, 0x00]); // CheckResponse { status {} }
const server = new Server();
server.addService(
  {
    Check: {
      path: '/envoy.service.auth.v3.Authorization/Check',
      requestStream: false,
      responseStream: false,
      requestDeserialize: (bytes) => bytes,
      responseSerialize: (bytes) => bytes,
    },
  },
  { Check: (_call, callback) => callback(null, answer) },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`127.0.0.1:${port}`);
});
