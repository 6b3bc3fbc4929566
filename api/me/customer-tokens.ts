import { errors, exportJWK, generateKeyPair, importJWK, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import type { ChangeFeed } from '../../adapters/database/changes.ts'
import type { CustomerTokenStore, SigningKey } from '../../adapters/database/customer-tokens/customer-token-store.ts'
import { createBoundedMap } from '../../base/bounds/bounded-map.ts'
import type { Clock } from '../../base/clock.ts'
import { type MaybePromise, whenKnown } from '../../base/maybe-promise.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../domain/identity.ts'
import type { CustomerToken, Principal } from '../../domain/principal.ts'
import { RefusalError, refuse } from '../../domain/refusal.ts'
import { TOKEN_TTL_MS_MAX } from '../../schemas/http/customer-tokens.ts'
import { instantJson } from '../../schemas/http/instants.ts'
import { TOKEN_BOUNDS } from './token-bounds.ts'

/** Signed texts that let a customer's browser or app read what is its own. */
export type CustomerTokens = {
  issue(wanted: WantedToken): Promise<{ readonly token: string; readonly expiresAtMs: InstantMs }>
  /** The holder of a token; at once when the token was seen before. Throws `invalid_token`, `token_expired`, `token_ended`. */
  find(text: string): MaybePromise<Principal>
}

export type WantedToken = CustomerToken & { readonly tenant: TenantKey; readonly ttlMs: number }

export type CustomerTokensDeps = {
  readonly store: Pick<CustomerTokenStore, 'addSigningKey' | 'endedAfter' | 'signingKeys'>
  readonly feed: Pick<ChangeFeed, 'subscribe'>
  readonly clock: Pick<Clock, 'now'>
  readonly createId: () => string
}

/**
 * Tokens are stored nowhere: the signature proves them. What the database knows (the signing keys, and whose tokens were ended) is
 * read once and again after a change, so a request with a token asks nothing of it.
 */
export function createCustomerTokens({ store, feed, clock, createId }: CustomerTokensDeps): CustomerTokens {
  const seen = createBoundedMap<string, SeenToken>(TOKEN_BOUNDS.seenTokens.most)
  let facts: Facts | null = null
  let loading: Promise<Facts> | null = null
  const forget = () => {
    facts = null
    loading = null
  }
  feed.subscribe({ topics: ['endedTokens'], changed: forget, missed: forget })

  function load(): Promise<Facts> {
    if (loading !== null) return loading
    const started = read()
    loading = started
    started.then(
      (read) => {
        // What was read before a change must not outlive it.
        if (loading === started) facts = read
      },
      () => {
        if (loading === started) loading = null
      },
    )
    return started
  }

  async function read(): Promise<Facts> {
    const readAtMs = clock.now()
    const [keys, ended] = [await store.signingKeys(), await store.endedAfter((readAtMs - TOKEN_TTL_MS_MAX) as InstantMs)]
    const notBefore = new Map(ended.map(({ tenant, customer, notBeforeMs }) => [holderName(tenant, customer), notBeforeMs]))
    return { readAtMs, keys: new Map(keys.map((key) => [key.id, key])), newest: keys[0] ?? null, notBefore }
  }

  /** A key that another process has just made is not known yet; texts that name none cannot make us read more often than this. */
  async function keyNamed(id: string, known: Facts): Promise<SigningKey | undefined> {
    const key = known.keys.get(id)
    if (key !== undefined || clock.now() - known.readAtMs < REREAD_AFTER_MS) return key
    forget()
    return (await load()).keys.get(id)
  }

  async function verify(text: string, known: Facts): Promise<SeenToken> {
    try {
      const { payload } = await jwtVerify(
        text,
        async ({ kid = '' }) => {
          const key = await keyNamed(kid, known)
          if (key === undefined) throw new errors.JWKSNoMatchingKey()
          const { d: _secret, ...publicKey } = key.privateKey
          return importJWK(publicKey, ALGORITHM)
        },
        { algorithms: [ALGORITHM], typ: TYPE, currentDate: new Date(clock.now()) },
      )
      return seenToken(payload)
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw expired((error.payload.exp ?? 0) * 1_000)
      if (error instanceof errors.JOSEError) throw new RefusalError(refuse('invalid_token', {}))
      throw error
    }
  }

  function admit(token: SeenToken, { notBefore }: Facts): Principal {
    if (clock.now() >= token.expiresAtMs) throw expired(token.expiresAtMs)
    const notBeforeMs = notBefore.get(token.holder)
    if (notBeforeMs !== undefined && token.issuedAtMs < notBeforeMs) {
      throw new RefusalError(refuse('token_ended', { notBefore: instantJson(notBeforeMs) }))
    }
    return token.principal
  }

  async function signingKey(): Promise<SigningKey> {
    const nowMs = clock.now()
    const { newest } = facts ?? (await load())
    if (newest !== null && nowMs - newest.createdAtMs < SIGNS_FOR_MS) return newest
    const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true })
    const key = { id: createId(), createdAtMs: nowMs, privateKey: { ...(await exportJWK(privateKey)) } }
    await store.addSigningKey(key, (nowMs - SIGNS_FOR_MS - 2 * TOKEN_TTL_MS_MAX) as InstantMs)
    forget()
    return key
  }

  return {
    async issue({ tenant, customer, scopes, origins, ttlMs }) {
      const { id, privateKey } = await signingKey()
      const issuedAtMs = clock.now()
      const expiresAtMs = (issuedAtMs + ttlMs) as InstantMs
      const token = await new SignJWT({ tenant, scopes, ...(origins === null ? {} : { origins }) })
        .setProtectedHeader({ alg: ALGORITHM, kid: id, typ: TYPE })
        .setSubject(customer)
        .setIssuedAt(issuedAtMs / 1_000)
        .setExpirationTime(expiresAtMs / 1_000)
        .sign(await importJWK(privateKey, ALGORITHM))
      return { token, expiresAtMs }
    },
    find(text) {
      const known = seen.get(text)
      if (known !== undefined && facts !== null) return admit(known, facts)
      return whenKnown(facts ?? load(), async (current) => {
        const token = known ?? (await verify(text, current))
        seen.set(text, token)
        return admit(token, facts ?? (await load()))
      })
    },
  }
}

/** True for a text that can only be meant as a customer token: every JSON Web Signature begins so. */
export function isTokenText(text: string): boolean {
  return text.startsWith('eyJ')
}

const ALGORITHM = 'EdDSA'
const TYPE = 'tollgate-customer+jwt'
/** Then a new key signs, and the one before goes on proving its tokens until the last has expired. */
const SIGNS_FOR_MS = 30 * 86_400_000
const REREAD_AFTER_MS = 1_000

/** What the database knew at `readAtMs`. */
type Facts = {
  readonly readAtMs: InstantMs
  readonly keys: ReadonlyMap<string, SigningKey>
  readonly newest: SigningKey | null
  readonly notBefore: ReadonlyMap<string, InstantMs>
}

type SeenToken = {
  readonly principal: Principal
  /** As `Facts.notBefore` names the customer. */
  readonly holder: string
  readonly issuedAtMs: number
  readonly expiresAtMs: number
}

/** The claims are those that `issue` has signed. */
function seenToken(payload: JWTPayload): SeenToken {
  const { sub, iat = 0, exp = 0, tenant, scopes, origins = null } = payload as JWTPayload & SignedClaims
  const customer = sub as CustomerKey
  return {
    principal: { keyId: 'customer-token', tenant, scopes: [], token: { customer, scopes, origins } },
    holder: holderName(tenant, customer),
    issuedAtMs: iat * 1_000,
    expiresAtMs: exp * 1_000,
  }
}

type SignedClaims = Pick<WantedToken, 'tenant' | 'scopes'> & { readonly origins?: readonly string[] }

function holderName(tenant: TenantKey, customer: CustomerKey): string {
  return `${tenant}\0${customer}`
}

function expired(expiredAtMs: number): RefusalError {
  return new RefusalError(refuse('token_expired', { expiredAt: instantJson(Math.round(expiredAtMs) as InstantMs) }))
}
