import { configText, parsed, reported } from './support.js';

const withUser = (user: string, issuer = '') =>
  configText({ issuer }).replace('token:\n', `token:\n  user: ${user}\n`);
const ACCEPTED = 'accepted_as: [access_token, user_token]';

describe("a user's token", () => {
  test('is not looked for unless it is configured, and then in a header of its own', () => {
    expect(parsed(configText()).token).not.toHaveProperty('user');
    expect(parsed(withUser('{}', ACCEPTED)).token.user).toEqual({ header: 'x-user-token', mode: 'optional' });
  });

  test.each([
    'Authorization',
    'authorization',
    'X-User',
    'dpop',
    'cookie',
    'x-countersign-subject',
    'a b',
    '',
  ])('is not in the header %s', (header) => {
    expect(reported(withUser(`{ header: "${header}" }`, ACCEPTED))).toEqual([
      expect.stringContaining('is no name of a header for a token; write it in small letters'),
    ]);
  });

  test('needs an issuer', () => {
    expect(reported(withUser('{}'))).toEqual([
      expect.stringContaining('token.user: has no issuer; add accepted_as: [user_token]'),
    ]);
  });

  test('of an issuer is in vain where none is looked for', () => {
    expect(reported(configText({ issuer: ACCEPTED }))).toEqual([
      expect.stringContaining("token.issuers[0].accepted_as: takes user's tokens, and none are looked for"),
    ]);
  });

  test('of the only issuer leaves none for the access token, which the mode has to know', () => {
    expect(reported(withUser('{}', 'accepted_as: [user_token]'))).toEqual([
      expect.stringContaining('token.issuers: names no issuer, while mode is not off'),
    ]);
    const off = withUser('{ mode: required }', 'accepted_as: [user_token]').replace(
      'token:\n',
      'token:\n  mode: off\n',
    );
    expect(parsed(off).token).toMatchObject({ mode: 'off', user: { mode: 'required' } });
  });
});
