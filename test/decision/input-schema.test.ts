import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { policyInput } from '../../src/decision/input.js';
import { INPUT_SCHEMA, type JsonSchema } from '../../src/decision/input-schema.js';
import { toFacts } from '../../src/envoy/facts.js';
import type { CheckRequest } from '../../src/envoy/messages.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { parseExact, stringifyExact } from '../../src/json/exact.js';

const PROTO = fileURLToPath(new URL('../../proto/', import.meta.url));

/** What of a value the schema does not foresee, by path; enough of JSON Schema for a schema as plain as ours. */
function unforeseen(schema: JsonSchema, value: unknown, path = 'input'): string[] {
  const kind = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
  if (schema.type === undefined) return [];
  const fits = schema.type === kind || (schema.type === 'integer' && Number.isInteger(Number(value)));
  if (!fits) return [`${path} is a ${kind}, not a ${schema.type}`];
  if (schema.enum && !schema.enum.includes(value as string))
    return [`${path} is none of ${schema.enum.join(', ')}`];
  if (Array.isArray(value))
    return value.flatMap((item, i) => unforeseen(schema.items!, item, `${path}[${i}]`));
  if (kind !== 'object') return [];
  const members = Object.entries(value as object);
  const absent = (schema.required ?? []).filter((name) => !members.some(([key]) => key === name));
  return [
    ...absent.map((name) => `${path}.${name} is absent`),
    ...members.flatMap(([name, member]) => {
      const own = schema.properties?.[name];
      if (own) return unforeseen(own, member, `${path}.${name}`);
      const { additionalProperties: others } = schema;
      if (typeof others === 'object') return unforeseen(others, member, `${path}.${name}`);
      return others === false ? [`${path}.${name} is not foreseen`] : [];
    }),
  ];
}

function inputOf(request: CheckRequest, withToken = true): unknown {
  const facts = toFacts(request);
  if (isRefusal(facts)) throw new Error(facts.detail);
  const identity = {
    spiffeId: 'spiffe://example.org/a',
    trustDomain: 'example.org',
    path: '/a',
    kubernetes: { namespace: 'n', serviceAccount: 's' },
    notAfter: 1893459600_000,
    fingerprint: 'ab'.repeat(32),
    source: 'certificate' as const,
    thumbprint: 'x'.repeat(43),
  };
  const token = {
    issuer: 'https://idp.example.org',
    subject: 'alice',
    clientId: 'c',
    audience: ['a'],
    scopes: ['s'],
    roles: ['r'],
    groups: ['g'],
    actor: { sub: 'x', act: { sub: 'y' } },
    claims: { sub: 'alice', deep: { er: [1, null] } },
    issuedAt: 1,
    expiresAt: 2,
    binding: 'none' as const,
    bindings: [],
    actors: [],
  };
  return parseExact(stringifyExact(policyInput(facts, identity, withToken ? token : undefined, identity)));
}

const struct = { fields: { a: { structValue: { fields: { b: { numberValue: 1 } } } } } };

describe('the schema of the input', () => {
  test('foresees all that a request can bring', () => {
    const everything = inputOf({
      attributes: {
        source: {
          address: { socketAddress: { address: '192.0.2.7', portValue: 1 } },
          service: 's',
          labels: { app: 'a' },
          principal: 'spiffe://example.org/a',
          certificate: 'PEM',
        },
        destination: { address: { pipe: { path: '/run/a' } } },
        request: {
          time: { seconds: 1, nanos: 2 },
          http: {
            id: '1',
            method: 'POST',
            path: '/a?b=1&b=2',
            host: 'h',
            scheme: 'https',
            query: '',
            fragment: '',
            size: -1,
            protocol: 'HTTP/2',
            headerMap: {
              headers: [
                { key: ':path', rawValue: Buffer.from('/a?b=1&b=2') },
                { key: 'content-type', rawValue: Buffer.from('application/json') },
              ],
            },
            rawBody: Buffer.from('[1]'),
          },
        },
        contextExtensions: { a: 'b' },
        metadataContext: { filterMetadata: { f: struct } },
        routeMetadataContext: {
          typedFilterMetadata: { f: { type_url: 't', value: Buffer.from('v') } },
        },
        tlsSession: { sni: 'a' },
      },
    });
    expect(unforeseen(INPUT_SCHEMA, everything)).toEqual([]);
  });

  test('foresees a connection, which has neither a request nor a token', () => {
    const connection = inputOf({ attributes: { source: {}, destination: {} } }, false);
    expect(Object.keys(connection as object)).not.toContain('request');
    expect(unforeseen(INPUT_SCHEMA, connection)).toEqual([]);
  });

  test("has the fields of Envoy's messages, each of them and no other", () => {
    const root = new protobuf.Root();
    root.resolvePath = (_origin, file) => `${PROTO}${file}`;
    root.loadSync('envoy/service/auth/v3/external_auth.proto').resolveAll();
    const compare = (schema: JsonSchema, type: protobuf.Type, path: string): void => {
      expect([path, Object.keys(schema.properties!).sort()]).toEqual([path, Object.keys(type.fields).sort()]);
      for (const [name, field] of Object.entries(type.fields)) {
        const of = schema.properties![name]!;
        if (field.resolvedType instanceof protobuf.Type && !field.map)
          compare(field.repeated ? of.items! : of, field.resolvedType, `${path}.${name}`);
      }
    };
    compare(
      INPUT_SCHEMA.properties!['attributes']!,
      root.lookupType('envoy.service.auth.v3.AttributeContext'),
      'attributes',
    );
  });
});
