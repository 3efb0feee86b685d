/** Cases that cannot pass in Wasm, by note, each with the reason. Whoever makes one pass must take it out here. */
export const EXCEPTIONS: { readonly [note: string]: string } = {};
