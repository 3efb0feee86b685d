import type { ServerHttp2Session } from 'node:http2';

/**
 * Connections that are alive, as gRPC's keepalive has it: each is pinged, and one that has not answered by the next
 * time is destroyed. That ends what a peer left without a word, what a peer does not read from, and sessions that
 * nghttp2 has given up (after a frame that its peer must not send), which Node would keep, socket and all, for ever.
 */
export class Liveness {
  private readonly silent = new Set<ServerHttp2Session>();

  watch(session: ServerHttp2Session): void {
    session.once('close', () => this.silent.delete(session));
  }

  sweep(sessions: Iterable<ServerHttp2Session>): void {
    for (const session of sessions) {
      if (session.destroyed) continue;
      if (this.silent.has(session)) {
        session.destroy();
        continue;
      }
      this.silent.add(session);
      session.ping((error) => {
        if (!error) this.silent.delete(session);
      });
    }
  }
}
