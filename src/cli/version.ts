import { readFileSync } from 'node:fs';

/** Of package.json, two folders up from src/cli and dist/cli alike. */
export const version = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
