import type { Bounds } from '../domain/bound.ts'

const SELLING = 'test/e2e/selling.test.ts'

/** Bounds on what visitors, customers' machines and providers make the server do. */
export const COMMERCE_BOUNDS = {
  wrongLicenseKeysMinute: {
    what: 'wrong license keys from one address; right ones go on',
    most: 20,
    unit: 'keys',
    per: 'address and minute',
    code: 'too_many_wrong_keys',
    test: `${SELLING} > wrong keys are held up and right ones are not`,
  },
  wrongLicenseKeysHour: {
    what: 'wrong license keys from one address; right ones go on',
    most: 200,
    unit: 'keys',
    per: 'address and hour',
    code: 'too_many_wrong_keys',
    test: `${SELLING} > wrong keys are held up and right ones are not`,
  },
  wrongLicenseKeyAddresses: {
    what: 'addresses whose wrong license keys are counted; those not seen for longest are forgotten',
    most: 20_000,
    unit: 'addresses',
    per: 'process',
    code: null,
    test: `${SELLING} > wrong keys are held up and right ones are not`,
  },
  licenseKey: {
    what: 'a license key as it is typed',
    most: 255,
    unit: 'characters',
    per: 'request',
    code: 'invalid_request',
    test: `${SELLING} > a key that is too long`,
  },
  licenseBody: {
    what: 'a body of the routes for customers’ machines',
    most: 16_384,
    unit: 'bytes',
    per: 'request',
    code: 'payload_too_large',
    test: `${SELLING} > a key that is too long`,
  },
  notice: {
    what: 'a notice of a payment provider',
    most: 262_144,
    unit: 'bytes',
    per: 'request',
    code: 'payload_too_large',
    test: `${SELLING} > notices that are too long, or none`,
  },
  form: {
    what: 'a form of a hosted page',
    most: 16_384,
    unit: 'bytes',
    per: 'request',
    code: 'payload_too_large',
    test: `${SELLING} > a form that is too long`,
  },
  expiredCheckouts: {
    what: 'checkouts that are ended in one transaction; the next ones follow',
    most: 100,
    unit: 'checkouts',
    per: 'transaction',
    code: null,
    test: `${SELLING} > a checkout that nobody pays ends once`,
  },
} as const satisfies Bounds
