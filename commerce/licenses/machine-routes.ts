import type { FastifyRequest } from 'fastify'
import { orThrow, RefusalError, refuse } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, ProblemSchema } from '../../schemas/http/common.ts'
import {
  ActivatedSchema,
  ActivateInputSchema,
  DeactivatedSchema,
  DeactivateInputSchema,
  JwksSchema,
  ValidatedSchema,
  ValidateInputSchema,
} from '../../schemas/http/licenses.ts'
import { COMMERCE_BOUNDS } from '../commerce-bounds.ts'
import type { SellingKit } from '../selling-kit.ts'
import { activationJson, shownLicenseJson } from './license-json.ts'
import type { LicenseTokens } from './license-tokens.ts'
import { activateLicense, checkLicense, deactivateLicense } from './use-license.ts'
import type { WrongLicenseKeys } from './wrong-keys.ts'

export type MachineRoutesDeps = Pick<SellingKit, 'clock' | 'vault' | 'write' | 'stores'> & {
  readonly tokens: LicenseTokens
  readonly wrongKeys: WrongLicenseKeys
}

/** Calls from customers' machines: the license key is what they prove who they are with. */
export function machineRoutes({ clock, vault, write, stores, tokens, wrongKeys }: MachineRoutesDeps): (app: HttpApp) => Promise<void> {
  const use = { write, licenses: stores.licenses, vault }
  const config = { scope: MACHINE_SCOPES } as const
  const bodyLimit = COMMERCE_BOUNDS.licenseBody.most
  return async (app) => {
    app.post('/v1/licenses/activate', { config, bodyLimit, preParsing: refuseLongBody, schema: ACTIVATE }, async (request, reply) => {
      const { key, instance, metadata = {} } = request.body
      const nowMs = clock.now()
      const outcome = await activateLicense(use, request.principal.tenant, key, { ...instance, metadata }, nowMs)
      if ('kind' in outcome) {
        if (outcome.code === 'unknown_key') countWrong(request)
        throw new RefusalError(outcome)
      }
      const { license, activation, isNew } = outcome
      const token = await tokens.issue(license, activation, nowMs)
      return reply
        .code(isNew ? 201 : 200)
        .send({ activation: activationJson(activation), license: shownLicenseJson(license, nowMs), token })
    })
    app.post('/v1/licenses/validate', { config, bodyLimit, preParsing: refuseLongBody, schema: VALIDATE }, async (request) => {
      const nowMs = clock.now()
      const { code, license, activation } = await checkLicense(use, request.principal.tenant, request.body, nowMs)
      if (license === null) countWrong(request)
      const isValid = code === 'valid'
      return {
        ...{ valid: isValid, code },
        ...(license !== null && { license: shownLicenseJson(license, nowMs) }),
        ...(isValid && license !== null && activation !== null && { token: await tokens.issue(license, activation, nowMs) }),
      }
    })
    app.post('/v1/licenses/deactivate', { config, bodyLimit, preParsing: refuseLongBody, schema: DEACTIVATE }, async (request) => {
      const outcome = await deactivateLicense(use, request.principal.tenant, request.body, clock.now())
      if ('kind' in outcome && outcome.code === 'unknown_key') countWrong(request)
      return { deactivated: orThrow(outcome).wasLive }
    })
    app.get('/v1/licenses/jwks', { config, schema: JWKS }, async () => {
      const keys = await tokens.publicKeys(clock.now())
      return {
        keys: keys.map(({ kid, publicKey }) => ({ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', kid, x: publicKey }) as const),
      }
    })
  }

  function countWrong({ ip }: FastifyRequest): void {
    const refusal = wrongKeys.count(ip)
    if (refusal !== null) throw new RefusalError(refusal)
  }
}

/** Before the body is read: JSON bodies have one bound for all routes, and these have a lower one. */
async function refuseLongBody(request: FastifyRequest): Promise<void> {
  const bytes = Number(request.headers['content-length'] ?? 0)
  const bytesMax = COMMERCE_BOUNDS.licenseBody.most
  if (bytes > bytesMax) throw new RefusalError(refuse('payload_too_large', { bytes, bytesMax }))
}

const MACHINE_SCOPES = ['public', 'manage'] as const
const TAGS = { tags: ['licenses'] }
const ANSWERS = { ...REFUSALS, 413: ProblemSchema, 429: ProblemSchema }

const ACTIVATE = {
  ...TAGS,
  operationId: 'activateLicense',
  summary: 'Use a license on a machine, site or for a user',
  description:
    'The same fingerprint again is the same activation (200). Exactly as many as the policy allows, under any concurrency. `token` proves the license offline.',
  body: ActivateInputSchema,
  response: { 200: ActivatedSchema, 201: ActivatedSchema, ...ANSWERS },
}
const VALIDATE = {
  ...TAGS,
  operationId: 'validateLicense',
  summary: 'Whether a license, and an activation of it, holds now',
  body: ValidateInputSchema,
  response: { 200: ValidatedSchema, ...ANSWERS },
}
const DEACTIVATE = {
  ...TAGS,
  operationId: 'deactivateLicense',
  summary: 'End an activation; also when it has ended',
  body: DeactivateInputSchema,
  response: { 200: DeactivatedSchema, ...ANSWERS },
}
const JWKS = {
  ...TAGS,
  operationId: 'getLicenseKeys',
  summary: 'Public keys of license tokens (JWKS)',
  response: { 200: JwksSchema, ...REFUSALS },
}
