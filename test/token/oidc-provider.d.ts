/** The package brings no types of its own; this is what the tests use of it. */
declare module 'oidc-provider' {
  import type { RequestListener } from 'node:http';

  export default class Provider {
    constructor(issuer: string, configuration: object);
    callback(): RequestListener;
    registerGrantType(
      name: string,
      handler: (context: never) => Promise<void>,
      parameters: readonly string[],
    ): void;
    readonly AccessToken: new (token: object) => { resourceServer: object; save(): Promise<string> };
    readonly ResourceServer: new (identifier: string, data: object) => object;
  }
}
