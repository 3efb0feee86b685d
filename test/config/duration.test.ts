import { durationWithin, parseDuration } from '../../src/config/duration.js';

test.each([
  ['250ms', 250],
  ['30s', 30_000],
  ['5m', 300_000],
  ['1h', 3_600_000],
  ['7d', 604_800_000],
  ['0s', 0],
])('%s is %d milliseconds', (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.each(['', '5', 's', '-1s', '1.5h', '01s', '1 s', '1S', '1m30s', '1w', 'PT1S', '1s\n'])(
  '%j is no duration',
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);

describe('a range', () => {
  const within = durationWithin('1s', '5m');

  test.each(['1s', '1000ms', '300s', '5m'])('has %s in it', (text) => {
    expect(within(text)).toBeUndefined();
  });

  test.each(['999ms', '301s', '300001ms', '999999999999999999999d'])(
    'leaves %s out and says what it is',
    (text) => {
      expect(within(text)?.mend).toBe('write a duration from 1s to 5m');
    },
  );

  test('tells what is no duration from what is out of range', () => {
    expect(within('soon')?.wrong).toBe('is not a duration');
  });
});
