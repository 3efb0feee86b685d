import { groupNumber } from '../../src/cli/engine/socket-group.js';
import { folderOf, removeFolders } from './run-cli.js';

afterAll(removeFolders);

test('a group is found by its name, and a number is taken as it is', async () => {
  const folder = await folderOf({ group: 'root:x:0:\n# a note\nenvoy:x:1337:a,b\nbroken:x\n' });
  expect(await groupNumber('envoy', `${folder}/group`)).toBe(1337);
  expect(await groupNumber(42, `${folder}/group`)).toBe(42);
  for (const [name, file] of [
    ['broken', 'group'],
    ['envo', 'group'],
    ['envoy', 'none'],
  ] as const)
    await expect(groupNumber(name, `${folder}/${file}`)).rejects.toThrow(
      `listen.socket_group: ${folder}/${file} has no group ${name}; write its number`,
    );
});
