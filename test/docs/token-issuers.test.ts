import { readFile } from 'node:fs/promises';
import { issuerRules } from '../../src/cli/issuer-rules.js';
import { parseConfig } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problem.js';
import type { Config } from '../../src/config/schema.js';
import type { Policy } from '../../src/policy/types.js';
import { createTokenVerifier } from '../../src/token/verifier.js';
import { facts, frontend, pipeline } from '../decision/fakes.js';
import { policyFrom } from '../support/library.js';
import { FakeKeys, NOW, SECONDS, TestKey } from '../token/support.js';

const page = await readFile(new URL('../../docs/token-issuers.md', import.meta.url), 'utf8');

interface Case {
  readonly what: string;
  readonly presenter: string;
  readonly request: string;
  readonly claims: Readonly<Record<string, unknown>>;
  /** Of the user's token, where there is one. */
  readonly user?: Readonly<Record<string, unknown>> | null;
  readonly reason: string;
}

const block = (section: string, language: string) =>
  new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(section)![1]!;

const sections = page
  .split(/^## /m)
  .slice(1)
  .map((section) => ({
    title: section.slice(0, section.indexOf('\n')),
    config: block(section, 'yaml'),
    rego: block(section, 'rego'),
    cases: completed(JSON.parse(block(section, 'json')) as (Partial<Case> & { but?: object })[]),
  }));

/** A case that says what is different is otherwise the one with claims before it. */
function completed(cases: readonly (Partial<Case> & { but?: object })[]): Case[] {
  let base: Partial<Case> = {};
  return cases.map(({ but, ...given }) => {
    if (given.claims) base = given;
    return { ...base, ...given, claims: { ...base.claims, ...but } } as Case;
  });
}

const keys = { ES256: await TestKey.create('k1', 'ES256'), RS256: await TestKey.create('k1', 'RS256') };

const ENTRYPOINT = 'mesh/authz/decision';
const policies = new Map<string, Policy>();
beforeAll(async () => {
  for (const { title, rego } of sections)
    policies.set(title, await policyFrom([{ path: 'policy.rego', content: rego }], [ENTRYPOINT]));
});

function configOf(text: string): Config {
  const config = parseConfig(text, { file: '/etc/countersign/countersign.yaml', env: {} });
  if (config instanceof ConfigError) throw config;
  return config;
}

/** Some claims of these issuers are absent rather than null; exp is given in seconds from now. */
function mint({ exp = 300, ...claims }: Case['claims'], key: TestKey): Promise<string> {
  const present = Object.entries(claims).filter(([, value]) => value !== null);
  return key.token(
    {
      client_id: undefined,
      jti: 'j',
      iat: SECONDS,
      exp: SECONDS + Number(exp),
      ...Object.fromEntries(present),
    },
    { typ: 'JWT' },
  );
}

describe.each(sections)('$title', ({ title, config: text, cases }) => {
  const { token } = configOf(text);

  test.each(cases)('$what: $reason', async ({ presenter, request, claims, user, reason }) => {
    const keyOf = ({ algorithms }: Config['token']['issuers'][number]) =>
      algorithms.includes('ES256') ? keys.ES256 : keys.RS256;
    const minted = ({ iss, ...others }: Case['claims']) => {
      const named = token.issuers.find(({ issuer }) => issuer === iss) ?? token.issuers[0]!;
      return mint({ iss, ...others }, keyOf(named));
    };
    const verifier = async (kind: 'access_token' | 'user_token') =>
      createTokenVerifier({
        issuers: await Promise.all(
          token.issuers
            .filter(({ accepted_as: kinds }) => kinds.includes(kind))
            .map(async (issuer) => ({ ...issuerRules(issuer), keys: await FakeKeys.of(keyOf(issuer)) })),
        ),
        maxBytes: token.max_bytes,
        now: () => NOW,
      });
    const userTokens = user ? [await minted(user)] : [];
    const [method, path] = request.split(' ') as [string, string];
    const decision = await pipeline({
      identity: {
        verify: () => ({
          ...frontend,
          spiffeId: presenter,
          trustDomain: presenter.split('/')[2]!,
          path: presenter.replace(/^spiffe:\/\/[^/]*/, ''),
        }),
      },
      token: await verifier('access_token'),
      ...(token.user && { userToken: { ...token.user, verifier: await verifier('user_token') } }),
      policy: () => policies.get(title),
      entrypoint: ENTRYPOINT,
    }).decide(
      facts({
        authorization: [`Bearer ${await minted(claims)}`],
        header: (name) => (name === token.user?.header ? userTokens : []),
        envoyInput: { attributes: {}, parsed_path: path.split('/').slice(1) },
        http: { method, path, rawPath: path, query: '', host: 'shop', scheme: 'https' },
      }),
      { deadline: Infinity },
    );
    expect([decision.reason, decision.detail]).toEqual([
      reason,
      reason === 'allowed' ? undefined : expect.any(String),
    ]);
  });

  test('has a case that is allowed and one that is stopped before any policy', () => {
    const reasons = cases.map(({ reason }) => reason);
    expect(reasons).toContain('allowed');
    expect(reasons.some((reason) => /^(user_)?token_/.test(reason))).toBe(true);
  });
});
