import { isPrintable } from '../go/quote.js';

const HTML: Record<string, string> = {
  '\0': '\ufffd',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
};

/** `template.HTMLEscapeString`. */
export function htmlEscaped(text: string): string {
  return text.replace(/[\0"'&<>]/g, (c) => HTML[c]!);
}

/** `template.JSEscapeString`. */
export function jsEscaped(text: string): string {
  return Array.from(text, (c) => {
    if (c === '\\' || c === "'" || c === '"') return `\\${c}`;
    const code = c.codePointAt(0)!;
    const plain = code < 0x80 ? code >= 0x20 && !'<>&='.includes(c) : isPrintable(c);
    return plain ? c : `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`;
  }).join('');
}
