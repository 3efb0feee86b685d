import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Server,
  ServerCredentials,
  status,
  type handleUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { workloadApiService, type Streams } from '../../src/spiffe/workload-api.js';

type Name = keyof Streams;
type Call = ServerWritableStream<object, object>;

/** A Workload API in this process, which says what the test wants, over a real socket. */
export class FakeWorkloadApi {
  /** How often each stream was asked for. */
  readonly asked: { [name in Name]: number } = { FetchX509Bundles: 0, FetchJWTBundles: 0, FetchX509SVID: 0 };
  /** The audiences that JWT-SVIDs were asked for. */
  readonly askedJwtSvids: string[] = [];
  /** What comes of asking for one: it, or how the call ends. */
  jwtSvid: (audience: string) => Promise<{ spiffeId: string; svid: string }> | status = () =>
    status.PERMISSION_DENIED;
  private readonly says = new Map<Name, object | status>();
  private readonly open = new Map<Name, Set<Call>>();
  private server: Server | undefined;

  private constructor(private readonly folder: string) {}

  static async start(): Promise<FakeWorkloadApi> {
    // The path of a Unix socket has room for about 100 bytes.
    const api = new FakeWorkloadApi(await mkdtemp(join(tmpdir(), 'agent-')));
    await api.listen();
    return api;
  }

  get socketPath(): string {
    return join(this.folder, 'api.sock');
  }

  /** From now on the streams of this name say this, those that are open as well: a message, or how they end. */
  say(name: Name, what: object | status): void {
    this.says.set(name, what);
    for (const call of this.open.get(name) ?? []) this.answer(name, call);
  }

  bundles(bundles: { readonly [trustDomain: string]: Uint8Array }): void {
    this.say('FetchX509Bundles', { bundles });
  }

  /** From now on nothing is said to new streams, which stay open. */
  fallSilent(name: Name): void {
    this.says.delete(name);
  }

  async listen(): Promise<void> {
    const server = new Server();
    const implementation = Object.fromEntries(
      (Object.keys(this.asked) as Name[]).map((name) => [name, (call: Call) => this.accept(name, call)]),
    );
    const FetchJWTSVID: handleUnaryCall<{ audience: [string] }, object> = (call, callback) => {
      const [audience] = call.request.audience;
      this.askedJwtSvids.push(audience);
      const answer = this.jwtSvid(audience);
      if (call.metadata.get('workload.spiffe.io')[0] !== 'true') callback({ code: status.INVALID_ARGUMENT });
      else if (typeof answer === 'number')
        callback({ code: answer, details: `the fake says ${status[answer]}` });
      else void answer.then((svid) => callback(null, { svids: [svid] }));
    };
    server.addService(workloadApiService, { ...implementation, FetchJWTSVID } as never);
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(`unix:${this.socketPath}`, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      ),
    );
    this.server = server;
  }

  /** As if the agent had been killed: connections break, and the socket is gone. */
  async kill(): Promise<void> {
    this.server?.forceShutdown();
    this.open.clear();
    await rm(this.socketPath, { force: true });
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  private accept(name: Name, call: Call): void {
    this.asked[name]++;
    if (call.metadata.get('workload.spiffe.io')[0] !== 'true') {
      call.emit('error', { code: status.INVALID_ARGUMENT, details: 'security header missing from request' });
      return;
    }
    const calls = this.open.get(name) ?? new Set();
    this.open.set(name, calls.add(call));
    call.on('cancelled', () => calls.delete(call));
    this.answer(name, call);
  }

  private answer(name: Name, call: Call): void {
    const what = this.says.get(name);
    if (what === undefined) return;
    if (typeof what === 'object') return void call.write(what);
    this.open.get(name)?.delete(call);
    call.emit('error', { code: what, details: `the fake says ${status[what]}` });
  }
}
