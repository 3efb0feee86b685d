import { startAskedServers } from '../../src/cli/engine/asked-servers.js';
import { startChangeTeller } from '../../src/cli/engine/change-teller.js';
import type { EnginePart, Standing } from '../../src/cli/engine/part.js';
import type { Log } from '../../src/telemetry/log.js';

function setUp(parts: EnginePart[]) {
  const lines: string[] = [];
  const write = (level: string) => (fields: object, message: string) =>
    lines.push([level, ...Object.values(fields), message].join(' | '));
  const teller = startChangeTeller({ info: write('info'), warn: write('warn') } as unknown as Log, parts);
  teller.stop();
  const told = () => {
    teller.tell();
    return lines.splice(0);
  };
  return told;
}

test('what is refreshed is told when it begins to fail, fails otherwise, or works again, once each', () => {
  let error: string | undefined;
  const part = { standings: (): Standing[] => [['keys of a', error]] } as unknown as EnginePart;
  const told = setUp([part]);
  expect(told()).toEqual([]);
  error = 'gone';
  expect([told(), told()]).toEqual([
    ['warn | keys of a | gone | not refreshed; the last good one serves as long as it may'],
    [],
  ]);
  error = 'slow';
  expect(told()).toHaveLength(1);
  error = undefined;
  expect([told(), told()]).toEqual([['info | keys of a | refreshed again'], []]);
});

test('a server that is asked when a request needs it is told of as what it is, and readiness does not lean on it', () => {
  const servers = startAskedServers();
  const told = setUp([servers]);
  const tokens = servers.add('tokens', 'exchange');
  const introspection = servers.add('introspection', 'https://idp.example.org');
  expect(told()).toEqual([]);
  tokens('no answer in time');
  introspection(undefined);
  expect(servers.checks()).toEqual({});
  expect(servers.status()).toEqual([
    { askedFor: 'tokens', server: 'exchange', error: 'no answer in time' },
    { askedFor: 'introspection', server: 'https://idp.example.org', error: undefined },
  ]);
  expect(told()).toEqual([
    'warn | tokens of exchange | no answer in time | no answer; what needs one is denied',
  ]);
  tokens(undefined);
  expect(told()).toEqual(['info | tokens of exchange | it answers again']);
});
