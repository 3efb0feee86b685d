import { DerError, DerReader, TAG, decodeBoolean, decodeOid, readAll } from '../../asn1/der.js';
import { fromInteger } from '../number.js';
import { RegoObject, type RegoValue } from '../value.js';
import {
  NO_NAMES,
  describeConstraints,
  describeNames,
  readNameConstraints,
  readSubjectNames,
  type NameConstraints,
  type SubjectNames,
} from './x509-names.js';
import { arcs, bytes, decodeInteger, list, readInteger, texts } from './x509-values.js';

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Buffer;
}

export const SUBJECT_ALT_NAME = '2.5.29.17';

/** The usages that Go numbers, in its order. */
const USAGES = [
  '2.5.29.37.0',
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `1.3.6.1.5.5.7.3.${n}`),
  '1.3.6.1.4.1.311.10.3.3',
  '2.16.840.1.113730.4.1',
  '1.3.6.1.4.1.311.2.1.22',
  '1.3.6.1.4.1.311.61.1.1',
];

/** What Go's parser makes of the extensions of a certificate (RFC 5280 section 4.2). */
export class Extensions {
  names: SubjectNames = NO_NAMES;
  constraints: NameConstraints | undefined;
  keyUsage = 0;
  basicConstraints: { readonly ca: boolean; readonly pathLength: bigint } | undefined;
  /** By Go's numbers. */
  readonly usages: number[] = [];
  readonly unknownUsages: string[] = [];
  subjectKeyId: Buffer | undefined;
  authorityKeyId: Buffer | undefined;
  requireExplicitPolicy: bigint | undefined;
  readonly policyMappings: [issuer: string, subject: string][] = [];
  readonly unhandledCritical: string[] = [];
  private inhibitPolicyMapping: bigint | undefined;
  private inhibitAnyPolicy: bigint | undefined;
  private policies: string[] | undefined;
  private readonly crls: string[] = [];
  private readonly ocsp: string[] = [];
  private readonly issuers: string[] = [];

  /** @throws DerError */
  constructor(readonly all: readonly Extension[]) {
    for (const extension of all) {
      const handled = this.read(extension);
      if (extension.critical && !handled) this.unhandledCritical.push(extension.oid);
    }
  }

  /** Whether it is one that is read. */
  private read({ oid, critical, value }: Extension): boolean {
    switch (oid) {
      case '2.5.29.14':
        if (critical) throw new DerError('a critical subject key identifier');
        this.subjectKeyId = new DerReader(value).next(TAG.OCTET_STRING).content;
        return true;
      case '2.5.29.15':
        this.keyUsage = readKeyUsage(value);
        return true;
      case SUBJECT_ALT_NAME:
        this.names = readSubjectNames(value);
        return Object.values(this.names).some((names: readonly unknown[]) => names.length > 0);
      case '2.5.29.19': {
        const reader = new DerReader(new DerReader(value).next(TAG.SEQUENCE).content);
        const ca = reader.optional(TAG.BOOLEAN);
        const length = reader.optional(TAG.INTEGER);
        const pathLength = length === undefined ? -1n : small(decodeInteger(length));
        this.basicConstraints = { ca: ca !== undefined && decodeBoolean(ca), pathLength };
        return true;
      }
      case '2.5.29.30':
        this.constraints = readNameConstraints(value);
        return !this.constraints.unhandled;
      case '2.5.29.31':
        this.readDistributionPoints(value);
        return true;
      case '2.5.29.32':
        this.policies = readAll(sequence(value), TAG.SEQUENCE).map(({ content }) =>
          decodeOid(new DerReader(content).next(TAG.OID).content),
        );
        if (new Set(this.policies).size !== this.policies.length) throw new DerError('a policy occurs twice');
        return true;
      case '2.5.29.33':
        for (const { content } of readAll(sequence(value), TAG.SEQUENCE)) {
          const [issuer, subject] = readAll(content, TAG.OID).map((id) => decodeOid(id.content));
          if (issuer === undefined || subject === undefined) throw new DerError('not a policy mapping');
          this.policyMappings.push([issuer, subject]);
        }
        return true;
      case '2.5.29.35': {
        if (critical) throw new DerError('a critical authority key identifier');
        this.authorityKeyId = new DerReader(sequence(value)).optional(0x80);
        return true;
      }
      case '2.5.29.36': {
        const reader = new DerReader(sequence(value));
        const [explicit, mapping] = [reader.optional(0x80), reader.optional(0x81)];
        if (explicit !== undefined) this.requireExplicitPolicy = small(decodeInteger(explicit));
        if (mapping !== undefined) this.inhibitPolicyMapping = small(decodeInteger(mapping));
        return true;
      }
      case '2.5.29.37':
        for (const { content } of readAll(sequence(value), TAG.OID)) {
          const usage = USAGES.indexOf(decodeOid(content));
          if (usage < 0) this.unknownUsages.push(decodeOid(content));
          else this.usages.push(usage);
        }
        return true;
      case '2.5.29.54':
        this.inhibitAnyPolicy = small(readInteger(new DerReader(value)));
        return true;
      case '1.3.6.1.5.5.7.1.1':
        if (critical) throw new DerError('a critical authority information access');
        this.readInformationAccess(value);
        return true;
      default:
        return false;
    }
  }

  private readDistributionPoints(value: Buffer): void {
    for (const point of readAll(sequence(value), TAG.SEQUENCE)) {
      const name = new DerReader(point.content).optional(0xa0);
      if (name === undefined) continue;
      const uris = new DerReader(new DerReader(name).next(0xa0).content);
      for (let uri = uris.optional(0x86); uri !== undefined; uri = uris.optional(0x86)) {
        this.crls.push(uri.toString());
      }
    }
  }

  private readInformationAccess(value: Buffer): void {
    for (const { content } of readAll(sequence(value), TAG.SEQUENCE)) {
      const reader = new DerReader(content);
      const method = decodeOid(reader.next(TAG.OID).content);
      const uri = reader.optional(0x86)?.toString();
      if (uri !== undefined && method === '1.3.6.1.5.5.7.48.1') this.ocsp.push(uri);
      if (uri !== undefined && method === '1.3.6.1.5.5.7.48.2') this.issuers.push(uri);
    }
  }

  /** The members of Go's x509.Certificate that come from extensions. */
  describe(): [string, RegoValue][] {
    const { basicConstraints, policies } = this;
    return [
      ['Extensions', describeExtensions(this.all)],
      ['ExtraExtensions', null],
      ['UnhandledCriticalExtensions', list(this.unhandledCritical, arcs)],
      ['KeyUsage', this.keyUsage],
      ['ExtKeyUsage', list(this.usages, (usage) => usage)],
      ['UnknownExtKeyUsage', list(this.unknownUsages, arcs)],
      ['BasicConstraintsValid', basicConstraints !== undefined],
      ['IsCA', basicConstraints?.ca ?? false],
      ['MaxPathLen', fromInteger(basicConstraints?.pathLength ?? 0n)],
      ['MaxPathLenZero', basicConstraints?.pathLength === 0n],
      ['SubjectKeyId', bytes(this.subjectKeyId)],
      ['AuthorityKeyId', bytes(this.authorityKeyId)],
      ['OCSPServer', texts(this.ocsp)],
      ['IssuingCertificateURL', texts(this.issuers)],
      ...describeNames(this.names),
      ...describeConstraints(
        this.constraints,
        this.all.some(({ oid, critical }) => oid === '2.5.29.30' && critical),
      ),
      ['CRLDistributionPoints', texts(this.crls)],
      ['PolicyIdentifiers', policies === undefined ? null : policies.map(arcs)],
      ['Policies', texts(policies ?? [])],
      [
        'PolicyMappings',
        list(
          this.policyMappings,
          ([issuer, subject]) =>
            new RegoObject([
              ['IssuerDomainPolicy', issuer],
              ['SubjectDomainPolicy', subject],
            ]),
        ),
      ],
      ...optional('InhibitAnyPolicy', this.inhibitAnyPolicy),
      ...optional('InhibitPolicyMapping', this.inhibitPolicyMapping),
      ...optional('RequireExplicitPolicy', this.requireExplicitPolicy),
    ];
  }
}

function sequence(value: Buffer): Buffer {
  return new DerReader(value).next(TAG.SEQUENCE).content;
}

/** A non-negative integer that Go's int holds. */
function small(value: bigint): bigint {
  if (value < 0n || value >= 2n ** 63n) throw new DerError('an INTEGER out of range');
  return value;
}

/** A member, and the one beside it that tells 0 from nothing. */
function optional(name: string, value: bigint | undefined): [string, RegoValue][] {
  return [
    [name, fromInteger(value ?? 0n)],
    [`${name}Zero`, value === 0n],
  ];
}

/** The nine named bits, the first one as 1. */
function readKeyUsage(value: Buffer): number {
  const { content } = new DerReader(value).next(TAG.BIT_STRING);
  const unused = content[0];
  if (unused === undefined || unused > 7 || (content.length === 1 && unused > 0))
    throw new DerError('not a BIT STRING');
  let usage = 0;
  for (let i = 0; i < 9; i++) {
    if (((content[1 + (i >> 3)] ?? 0) & (0x80 >> (i & 7))) !== 0) usage |= 1 << i;
  }
  return usage;
}

/** A SEQUENCE OF Extension's content. @throws DerError, also for one that occurs twice */
export function readExtensions(content: Buffer): Extension[] {
  const extensions = readAll(content, TAG.SEQUENCE).map((element) => {
    const reader = new DerReader(element.content);
    const oid = decodeOid(reader.next(TAG.OID).content);
    const flag = reader.optional(TAG.BOOLEAN);
    const critical = flag !== undefined && decodeBoolean(flag);
    return { oid, critical, value: reader.next(TAG.OCTET_STRING).content };
  });
  if (new Set(extensions.map(({ oid }) => oid)).size !== extensions.length) {
    throw new DerError('an extension occurs twice');
  }
  return extensions;
}

export function describeExtensions(extensions: readonly Extension[]): RegoValue {
  return list(
    extensions,
    ({ oid, critical, value }) =>
      new RegoObject([
        ['Id', arcs(oid)],
        ['Critical', critical],
        ['Value', bytes(value)],
      ]),
  );
}
