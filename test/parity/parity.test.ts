import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, makeGenericClientConstructor, type Client } from '@grpc/grpc-js';
import { mintTrustDomain, type Svid } from '../../src/demo/trust-domain.js';
import type { CheckRequest, CheckResponse } from '../../src/envoy/messages.js';
import { authorizationService } from '../../src/server/proto.js';
import { type EngineProcess, startEngine } from '../e2e/engine.js';
import { descriptorSet } from '../support/grpc-service.js';
import { describePlugin, type PluginProcess, startPlugin } from '../support/opa-envoy-plugin.js';
import { type Answer, answerOf, type CallError } from './answer.js';
import { type Case, CASES } from './cases.js';
import { DIFFERENCES, type DifferenceName, MEANT, ONLY_ATTRIBUTES } from './differences.js';
import { ENTRYPOINT, policyFiles } from './policies.js';

let folder: string;
let workload: Svid;
let engine: EngineProcess;
let ours: Client;
let policies: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-parity-'));
  const domain = await mintTrustDomain('example.org');
  workload = await domain.issueSvid('/ns/shop/sa/frontend');
  await mkdir(join(folder, 'policies'));
  policies = await Promise.all(
    Object.entries(policyFiles()).map(async ([name, text]) => {
      const file = join(folder, 'policies', name);
      await writeFile(file, text);
      return file;
    }),
  );
  await writeFile(join(folder, 'example.org.pem'), domain.bundlePem);
  await writeFile(join(folder, 'services.pb'), descriptorSet);
  const config = join(folder, 'countersign.yaml');
  await writeFile(
    config,
    `
listen: { grpc: 127.0.0.1:0, admin: "off" }
identity: { trust_domains: { example.org: { bundle: ./example.org.pem } } }
token: { mode: "off" }
policy: { path: ./policies, entrypoint: ${ENTRYPOINT}, proto_descriptor: ./services.pb }
decision_log: { enabled: false }
`,
  );
  engine = await startEngine(config, 'parity');
  ours = client(engine.grpc);
}, 60_000);

afterAll(async () => {
  ours?.close();
  engine?.kill('SIGKILL');
  await engine?.exited;
  await rm(folder, { recursive: true, force: true });
});

function client(address: string): Client {
  const Authorization = makeGenericClientConstructor(authorizationService, 'Authorization');
  return new Authorization(address, credentials.createInsecure());
}

/** What the server at the other end makes of a case. Both are sent the same bytes. */
function ask(to: Client, { policy, http, attributes = {} }: Case): Promise<Answer | CallError> {
  const { path, requestSerialize, responseDeserialize } = authorizationService['Check']!;
  const request: CheckRequest = {
    attributes: {
      ...attributes,
      source: { ...attributes.source, certificate: encodeURIComponent(workload.certPem) },
      ...(http && { request: { time: { seconds: 1767323045, nanos: 5 }, http } }),
      contextExtensions: { policy: String(policy) },
    },
  };
  return new Promise((resolve) => {
    to.makeUnaryRequest(
      path,
      requestSerialize,
      (bytes) => responseDeserialize(bytes) as CheckResponse,
      request,
      { deadline: Date.now() + 10_000 },
      (error, response) => resolve(error ? { callError: error.code } : answerOf(response!)),
    );
  });
}

/** An answer of policy `echo`, but for the part of the input that protobuf defines. */
function withoutAttributes(answer: Answer | CallError): object {
  const { attributes: _attributes, ...body } = (answer as Answer).body as { [key: string]: unknown };
  return { ...answer, body };
}

const named = CASES.map((one) => [`${one.policy}: ${one.title}`, one] as const);

describe('policies that were written for opa-envoy-plugin', () => {
  test.each(named.filter(([, { sees }]) => sees))('see what they expect: %s', async (_title, one) => {
    const { body } = (await ask(ours, one)) as Answer;
    expect(body).toMatchObject(one.sees!);
  });

  test.each(named.filter(([, { allowed }]) => allowed !== undefined))('decide: %s', async (_title, one) => {
    const { code } = (await ask(ours, one)) as Answer;
    expect(code === 0).toBe(one.allowed);
  });

  test.each(named.filter(([, { differs }]) => differs === 'unusable result'))(
    'deny where there is no answer: %s',
    async (_title, one) => {
      expect(await ask(ours, one)).toMatchObject({ httpStatus: 403 });
    },
  );
});

test('there are sixty combinations and more, and none twice', () => {
  expect(CASES.length).toBeGreaterThanOrEqual(60);
  expect(new Set(named.map(([title]) => title)).size).toBe(CASES.length);
});

test('every deliberate difference is shown by a case, or is part of every answer', () => {
  const shown = new Set(CASES.flatMap(({ differs }) => differs ?? []));
  const missing = Object.entries(DIFFERENCES).filter(
    ([name, { always }]) => always === shown.has(name as DifferenceName),
  );
  expect(missing.map(([name]) => name)).toEqual([]);
});

describePlugin('beside the real opa-envoy-plugin', () => {
  let plugin: PluginProcess;
  let theirs: Client;

  beforeAll(async () => {
    plugin = await startPlugin({ policies, path: ENTRYPOINT, protoDescriptor: join(folder, 'services.pb') });
    theirs = client(plugin.grpc);
  }, 60_000);

  afterAll(async () => {
    theirs?.close();
    await plugin?.stop();
  });

  test.each(named.filter(([, { differs }]) => !differs))(
    'the answer is the same: %s',
    async (_title, one) => {
      const [expected, answer] = await Promise.all([ask(theirs, one), ask(ours, one)]);
      expect(expected).not.toHaveProperty('callError');
      expect(answer).toEqual(expected);
    },
  );

  test.each(named.filter(([, { differs }]) => differs))(
    'the answer differs as it is meant to: %s',
    async (_title, one) => {
      const [expected, answer] = await Promise.all([ask(theirs, one), ask(ours, one)]);
      expect(answer).not.toEqual(expected);
      expect({ plugin: expected, countersign: answer }).toMatchObject(MEANT[one.differs!] ?? {});
      if (ONLY_ATTRIBUTES.has(one.differs!))
        expect(withoutAttributes(answer)).toEqual(withoutAttributes(expected));
    },
  );
});
