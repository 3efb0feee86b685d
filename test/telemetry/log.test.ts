import { createLog } from '../../src/telemetry/log.js';
import { Sink } from './observations.js';

const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl';

function setUp(level = 'info') {
  const sink = new Sink();
  return { sink, log: createLog(level, sink) };
}

describe("the server's own log", () => {
  test('is one JSON line each, with level, time and message', () => {
    const { sink, log } = setUp();
    log.debug('not at this level');
    log.info({ revision: 'r1' }, 'serving');
    log.error({ err: new Error('boom') }, 'a defect');
    expect(sink.events()).toEqual([
      { level: 'info', time: expect.stringMatching(/^\d{4}-.*Z$/), revision: 'r1', msg: 'serving' },
      expect.objectContaining({ level: 'error', err: expect.objectContaining({ message: 'boom' }) }),
    ]);
  });

  test('trap 102: holds no credential, whoever put it into the line, and stays JSON', () => {
    const { sink, log } = setUp();
    log.warn({ url: 'https://idp/keys?client_secret=s3cret', after: 'kept' }, `refused ${JWT}`);
    log.warn({ key: '-----BEGIN PRIVATE KEY-----\ns3cret', after: 'kept' });
    log.error({ err: new Error(`bad token ${JWT}`) });
    log.info('next');
    expect(sink.text).not.toContain('s3cret');
    expect(sink.text).not.toContain(JWT);
    const events = sink.events();
    expect(events).toHaveLength(4);
    expect(events[0]).toMatchObject({
      url: 'https://idp/keys?client_secret=**REDACTED**',
      after: 'kept',
      msg: 'refused **REDACTED**',
    });
    expect(events[1]).toMatchObject({ key: '**REDACTED**', after: 'kept' });
  });

  test('trap 101: withholds a line that cannot be masked, and says that it did', () => {
    const { sink, log } = setUp();
    let deep: object = { secret: 's3cret' };
    for (let depth = 0; depth < 300; depth++) deep = { deep };
    log.info({ deep });
    log.info('next');
    expect(sink.text).not.toContain('s3cret');
    expect(sink.events().map(({ msg }) => msg)).toEqual([
      'a log line was withheld, as it could not be masked',
      'next',
    ]);
  });
});
