import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** The default policy asks for identity, token and request, which there a policy makes for itself. */
export function peerPolicy(issuer, jwks) {
  return `package peer

decision := answer if answer := data.mesh.authz.decision with input as facts

facts := object.union(input, {
	"identity": {"spiffe_id": input.attributes.source.principal},
	"token": {"scopes": split(claims.scope, " ")},
	"request": {
		"method": input.attributes.request.http.method,
		"path": concat("/", array.concat([""], input.parsed_path)),
	},
})

claims := payload if {
	[scheme, token] := split(input.attributes.request.http.headers.authorization, " ")
	lower(scheme) == "bearer"
	[valid, header, payload] := io.jwt.decode_verify(token, {
		"cert": ${JSON.stringify(jwks)},
		"iss": ${JSON.stringify(issuer)},
		"aud": "orders",
	})
	valid
	header.typ == "at+jwt"
}
`;
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Resolves once somebody takes connections there. */
export async function listens(port) {
  for (let tries = 0; tries < 100; tries++) {
    const open = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => (socket.destroy(), resolve(true)));
      socket.once('error', () => resolve(false));
    });
    if (open) return;
    await sleep(100);
  }
  throw new Error(`nobody listens on port ${port}`);
}
