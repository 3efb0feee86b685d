import { fileURLToPath } from 'node:url';
import { loadPolicy } from '@open-policy-agent/opa-wasm';
import { isRefusal } from '../../src/errors/refusal.js';
import { compileRego, type CompiledRego } from '../../src/rego/compiler.js';
import { readRegoFolder } from '../../src/rego/folder.js';
import { json, unpack } from './unpack.js';

const FRONTEND = 'spiffe://example.org/ns/shop/sa/frontend';
const REPORTING = 'spiffe://example.org/ns/shop/sa/reporting';

/** What opa-wasm's types leave out. */
interface Instance {
  readonly wasmInstance: {
    readonly exports: { builtins(): number; opa_json_dump(value: number): number };
  };
  readonly mem: { readonly buffer: ArrayBuffer };
}

let compiled: CompiledRego;
let policy: Awaited<ReturnType<typeof loadPolicy>>;

beforeAll(async () => {
  const sources = await readRegoFolder(fileURLToPath(new URL('../../policies', import.meta.url)));
  if (isRefusal(sources)) throw new Error(sources.detail);
  const result = await compileRego(sources, { entrypoints: ['mesh/authz/decision'] });
  if (isRefusal(result)) throw new Error(result.detail);
  compiled = result;
  const files = await unpack(compiled.bundle);
  policy = await loadPolicy(new Uint8Array(files.get('/policy.wasm')!));
  policy.setData(json(files, '/data.json') as object);
});

function decide(input: object): { [name: string]: unknown } {
  const results = policy.evaluate(input) as { result: { [name: string]: unknown } }[];
  return results[0]!.result;
}

function request(spiffeId: string, method: string, path: string, ...scopes: string[]): object {
  return { identity: { spiffe_id: spiffeId }, token: { scopes }, request: { method, path } };
}

function denial(reason: string, ...requiredScopes: string[]): object {
  return { allowed: false, reason, reasons: [reason], required_scopes: requiredScopes };
}

describe('the default policy', () => {
  test('needs no built-in of the host, and calls few at all', () => {
    const { wasmInstance, mem } = policy as unknown as Instance;
    const text = Buffer.from(mem.buffer).subarray(
      wasmInstance.exports.opa_json_dump(wasmInstance.exports.builtins()),
    );
    expect(text.toString('latin1', 0, text.indexOf(0))).toBe('{}');
    const called = compiled.builtins.filter(({ locations }) =>
      locations.some(({ file }) => file.startsWith('mesh/')),
    );
    expect(called.map(({ name }) => name)).toEqual(['concat', 'count', 'startswith']);
  });

  test.each([
    [FRONTEND, 'GET', '/orders', 'orders:read'],
    [FRONTEND, 'GET', '/orders/7', 'orders:read'],
    [FRONTEND, 'POST', '/orders', 'orders:write'],
    [REPORTING, 'GET', '/reports/2024', 'reports:read'],
  ])('allows %s to %s %s with %s', (workload, method, path, scope) => {
    expect(decide(request(workload, method, path, 'profile', scope))).toEqual({
      allowed: true,
      reason: 'a route allows it',
    });
  });

  test('names the scope that is missing', () => {
    expect(decide(request(FRONTEND, 'POST', '/orders', 'orders:read'))).toEqual(
      denial('the token lacks a scope of this route', 'orders:write'),
    );
  });

  test('denies a workload that the route does not list, whatever its token says', () => {
    const stranger = 'spiffe://example.org/ns/shop/sa/frontend2';
    for (const workload of [REPORTING, stranger, '']) {
      expect(decide(request(workload, 'GET', '/orders', 'orders:read'))).toEqual(
        denial('this workload may not call this route'),
      );
    }
  });

  test('matches whole segments of a path, and the method as it is written', () => {
    for (const [method, path] of [
      ['GET', '/orders-internal'],
      ['GET', '/order'],
      ['GET', '/'],
      ['GET', '/v1/orders'],
      ['DELETE', '/orders/7'],
      ['get', '/orders'],
    ] as const) {
      expect(decide(request(FRONTEND, method, path, 'orders:read', 'orders:write'))).toEqual(
        denial('no route for this method and path'),
      );
    }
  });

  test('trap 23: decides a connection on identity alone, and denies it by default', () => {
    expect(decide({ identity: { spiffe_id: FRONTEND } })).toMatchObject({ allowed: true });
    expect(decide({ identity: { spiffe_id: REPORTING } })).toEqual(
      denial('this workload may not open connections'),
    );
  });

  test('does not take a request without a token for a connection', () => {
    const { allowed, reasons } = decide({
      identity: { spiffe_id: FRONTEND },
      request: { method: 'GET', path: '/orders' },
    });
    expect({ allowed, reasons }).toEqual({
      allowed: false,
      reasons: ['the token lacks a scope of this route'],
    });
  });

  test('denies, with a reason, what it knows nothing about', () => {
    for (const input of [{}, { identity: {} }, { request: {} }, { token: { scopes: [] } }]) {
      expect(decide(input)).toMatchObject({ allowed: false, reason: expect.stringMatching(/./) as string });
    }
  });
});
