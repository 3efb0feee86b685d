// What is measured against what: each with the server that it asks and what it asks there.
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeManyRules } from './many-rules.mjs';
import { bundleOf, requestFile, startBench, startServer } from './policy-server.mjs';
import { framed } from './request.mjs';
import { ROOT } from './servers.mjs';

export const NAMES = {
  ECHO: 'grpc-js echo, nothing decoded',
  HTTP2: 'node:http2 echo, nothing decoded',
  TOKENLESS: 'no token needed',
  WARM: 'warm token',
  DENIED: 'warm token, denied by policy',
  UNASKED: 'no token where one is needed: denied before policy',
  LOGGED: 'warm token, decision log on',
  SHADOW: 'warm token, shadow on',
  RULES: 'warm token, 500 rules',
  TOKENS: 'every token new',
  CERTIFICATES: 'every certificate new',
  PATHS: 'every path new',
  RULES_PATHS: 'every path new, 500 rules',
  SMALL_DATA: '100 kB of data, always evaluated',
  LARGE_DATA: '20 MB of data, always evaluated',
  PEER: 'opa-envoy-plugin, warm token',
  PEER_TOKENS: 'opa-envoy-plugin, every token new',
  PEER_LOGGED: 'opa-envoy-plugin, warm token, decision log on',
};

/** Keys of about 50 bytes. */
export const KEYS = { small: 2_000, large: 400_000 };

/**
 * Starts the servers. A contender's `asked` is one request that comes again, in `file` as h2load sends it; `each` makes one
 * that never came before, which has to be let in.
 *
 * @param wants whether a contender of this name is to be measured
 */
export async function startContenders(fleet, { peer, wants }) {
  const { folder, domain, frontend } = fleet;
  const read = { workload: frontend, method: 'GET', path: '/orders/7' };
  const warm = { ...read, token: await fleet.token() };
  const unbound = await fleet.unbound();
  let made = 0;
  const anotherToken = async () => ({ ...read, token: await fleet.token({ jti: `bench-${++made}` }) });
  const anotherPath = () => ({ ...warm, path: `/orders/${++made}` });
  const anotherCertificate = async () => {
    const workload = await domain.issueSvid('/ns/shop/sa/frontend');
    return { ...read, token: unbound, workload };
  };

  const plain = once(() => fleet.countersign('plain'));
  // What was never seen fills caches, which make collections of garbage dearer: that is measured by itself.
  const various = once(() => fleet.countersign('various'));
  const open = once(async () => {
    const policy = { path: await writePolicy(join(folder, 'open'), 'decision := {"allowed": true}') };
    return fleet.countersign('open', { token: 'mode: "off"', policy });
  });
  const logging = once(() => fleet.countersign('logging', { log: true }));
  const shadowing = once(() => {
    const path = join(ROOT, 'policies');
    return fleet.countersign('shadowing', { policy: { path, shadow: { path } } });
  });
  const rules = once(async () =>
    fleet.countersign('rules', { policy: await writeManyRules(join(folder, 'many'), 500) }),
  );
  const data = once(startBench);
  const holding = (name, keys) =>
    once(async () => startServer(await data(), name, await bundleOf(await data(), 'r0', keys)));
  const verifying = once(() => fleet.peer(peer));

  const contenders = [
    { name: NAMES.ECHO, server: () => fleet.echo('echo-server.mjs'), asked: warm },
    { name: NAMES.HTTP2, server: () => fleet.echo('http2-echo-server.mjs'), asked: warm },
    { name: NAMES.TOKENLESS, server: open, asked: read },
    { name: NAMES.WARM, server: plain, asked: warm },
    { name: NAMES.TOKENS, server: various, each: anotherToken },
    { name: NAMES.CERTIFICATES, server: various, each: anotherCertificate },
    { name: NAMES.PATHS, server: various, each: anotherPath },
    { name: NAMES.DENIED, server: plain, asked: { ...warm, path: '/elsewhere' } },
    { name: NAMES.UNASKED, server: plain, asked: read },
    { name: NAMES.RULES, server: rules, asked: warm },
    { name: NAMES.RULES_PATHS, server: rules, each: anotherPath },
    {
      name: NAMES.SMALL_DATA,
      server: holding('small', KEYS.small),
      file: async () => (await requestFile(await data())).body,
    },
    {
      name: NAMES.LARGE_DATA,
      server: holding('large', KEYS.large),
      file: async () => (await requestFile(await data())).body,
    },
    { name: NAMES.SHADOW, server: shadowing, asked: warm },
    { name: NAMES.LOGGED, server: logging, asked: warm },
    ...(peer === undefined
      ? []
      : [
          { name: NAMES.PEER, server: verifying, asked: warm },
          { name: NAMES.PEER_TOKENS, server: verifying, each: anotherToken },
          { name: NAMES.PEER_LOGGED, server: () => fleet.peer(peer, { log: true }), asked: warm },
        ]),
  ].filter(({ name }) => wants(name));

  const started = [];
  for (const [index, contender] of contenders.entries()) {
    const server = await contender.server();
    let file = await contender.file?.();
    if (file === undefined) {
      file = join(folder, `request-${index}.grpc`);
      await writeFile(file, framed(contender.asked ?? (await contender.each())));
    }
    started.push({ ...contender, server, file, bytes: (await stat(file)).size });
  }
  return {
    contenders: started,
    async stop() {
      const bench = data.made && (await data());
      for (const { server } of started) await server.stop();
      if (bench) await rm(bench.folder, { recursive: true, force: true });
    },
  };
}

/** Makes something when it is first asked for. */
function once(make) {
  let made;
  return Object.defineProperty(() => (made ??= make()), 'made', { get: () => made });
}

async function writePolicy(folder, rule) {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'authz.rego'), `package mesh.authz\n\n${rule}\n`);
  return folder;
}
