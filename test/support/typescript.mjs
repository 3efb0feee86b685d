/** `node --import ./test/support/typescript.mjs FILE.ts` runs TypeScript from its sources, without a build. */
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
