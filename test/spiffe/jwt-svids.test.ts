import { status } from '@grpc/grpc-js';
import { createJwtSvids } from '../../src/spiffe/jwt-svids.js';
import { createWorkloadApi } from '../../src/spiffe/workload-api.js';
import { FakeWorkloadApi } from '../support/fake-workload-api.js';
import { JwtKey } from '../support/jwt-authority.js';

const SPIFFE_ID = 'spiffe://example.org/countersign';
const AUDIENCE = 'https://idp.example.org';
const HOUR = 3_600_000;

const key = await JwtKey.create();
let agent: FakeWorkloadApi;
let now = Date.now();
const stopping: (() => void)[] = [];
beforeEach(async () => {
  agent = await FakeWorkloadApi.start();
  agent.jwtSvid = minting();
});
afterEach(async () => {
  for (const stop of stopping.splice(0)) stop();
  await agent.stop();
});

function minting(claims: object = {}) {
  return async (audience: string) => ({
    spiffeId: SPIFFE_ID,
    svid: await key.sign({
      sub: SPIFFE_ID,
      aud: [audience],
      exp: (now + HOUR) / 1000,
      n: Math.random(),
      ...claims,
    }),
  });
}

function setUp() {
  const api = createWorkloadApi(agent.socketPath);
  stopping.push(() => api.close());
  return createJwtSvids({ api: () => api, now: () => now });
}

describe('JWT-SVIDs of this process', () => {
  test('are obtained for an audience, once for all that want one, and renewed from half of their life on', async () => {
    const svid = setUp();
    const [first, again] = await Promise.all([svid(AUDIENCE), svid(AUDIENCE)]);
    expect(again).toBe(first);
    now += HOUR / 2 - 1_000;
    expect(await svid(AUDIENCE)).toBe(first);
    expect(await svid('another')).not.toBe(first);
    expect(agent.askedJwtSvids).toEqual([AUDIENCE, 'another']);
    now += 2_000;
    expect(await svid(AUDIENCE)).not.toBe(first);
  });

  test('serve until they expire while the agent does not answer, and not beyond', async () => {
    const svid = setUp();
    const first = await svid(AUDIENCE);
    agent.jwtSvid = () => status.PERMISSION_DENIED;
    now += HOUR - 1_000;
    expect(await svid(AUDIENCE)).toBe(first);
    now += 1_000;
    await expect(svid(AUDIENCE)).rejects.toThrow(
      'FetchJWTSVID: PERMISSION_DENIED: the fake says PERMISSION_DENIED',
    );
    agent.jwtSvid = minting();
    expect(await svid(AUDIENCE)).not.toBe(first);
  });

  test.each([
    ['for another audience', { aud: ['other'] }, 'for another audience'],
    ['of somebody else', { sub: 'spiffe://example.org/other' }, 'another SPIFFE ID'],
    ['that have expired', { exp: 1 }, 'has expired'],
    ['that never expire', { exp: undefined }, 'has expired'],
  ])('%s are not used', async (_, claims, problem) => {
    agent.jwtSvid = minting(claims);
    await expect(setUp()(AUDIENCE)).rejects.toThrow(problem);
  });

  test('that are none are not quoted', async () => {
    agent.jwtSvid = async () => ({ spiffeId: SPIFFE_ID, svid: 'secret.nonsense' });
    const error = (await setUp()(AUDIENCE).catch((caught: Error) => caught)) as Error;
    expect(error.message).toMatch('cannot be used');
    expect(error.message).not.toMatch('nonsense');
  });
});
