import { runOpaCommand } from '../../src/rego/opa-command.js';

describe('runOpaCommand', () => {
  test('fails with what the program says when it has no such command', async () => {
    await expect(runOpaCommand('bild', {})).rejects.toMatchObject({
      name: 'OpaFailure',
      message: 'want the name of one command, got ["bild"]',
    });
  });

  test('fails on a request that it would have to read only in part', async () => {
    await expect(runOpaCommand('build', { files: [], entrypoints: [], optimise: 2 })).rejects.toMatchObject({
      name: 'OpaFailure',
      message: 'request: json: unknown field "optimise"',
    });
  });
});
