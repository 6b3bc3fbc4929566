import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerDefault } from 'fastify'
import { type TSchema, Type } from 'typebox'
import { CATALOG_BOUNDS } from '../../domain/catalog/catalog-bounds.ts'
import { CUSTOMER_NAME_PATTERN } from '../../domain/catalog/customer-name.ts'
import type { Principal, Scope, TokenScope } from '../../domain/principal.ts'
import type { Refusal } from '../../domain/refusal.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scope that the key needs, or several of which one is enough; a route without a scope is open to all. */
    scope?: Scope | readonly Scope[]
    /** The scope that a customer token needs; keys are refused. */
    tokenScope?: TokenScope
    /** Open on the operators' port; elsewhere it needs its scope. No other route with a scope is on that port. */
    isOperators?: boolean
    /** Answers without a key too, with fewer details. */
    isKeyOptional?: boolean
    /** True for a route that reads the usage store: it takes turns by tenant. */
    isHeavyRead?: boolean
    /** True for a POST that creates something: it honours `Idempotency-Key`. */
    isIdempotent?: boolean
  }
  interface FastifyRequest {
    /** Set by the runtime before any handler of a route with a scope. */
    principal: Principal
    /** Whether the body is JSON without `\u`: then no text of it holds a NUL or half of a surrogate pair. */
    hasPlainBody: boolean
    /** What is wrong with a part of a body that the route reads itself; null when it fits the schema. */
    checkBody(schema: TSchema, value: unknown): Refusal | null
    /** On a route of the operators: whether the caller may see everything. */
    isOperator: boolean
  }
}

/** The server as every stage's routes see it: bodies, params and answers are typed from their schemas. */
export type HttpApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression<RawServerDefault>,
  RawReplyDefaultExpression<RawServerDefault>,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** An input takes the fields that it names and no other. */
export const CLOSED = { additionalProperties: false }

export const KEY_PATTERN = '^[A-Za-z0-9._:@/+-]{1,128}$'
export const KeySchema = Type.String({ pattern: KEY_PATTERN, description: 'Chosen by the caller: 1 to 128 of A-Z a-z 0-9 . _ : @ / + -' })
/** A customer's key or one of its subjects. Every route takes either where it takes a customer. */
export const CustomerNameSchema = Type.String({
  pattern: CUSTOMER_NAME_PATTERN,
  description: 'Chosen by the caller: 1 to 255 characters without control characters or blanks at its ends, and not `.` or `..`',
  examples: ['auth0|5f7c'],
})
export const InstantSchema = Type.String({ format: 'date-time', description: 'ISO 8601, UTC' })
export const DecimalSchema = Type.String({ description: 'Exact decimal', examples: ['12.5'] })
/** Input: a string or a JSON number. The handler checks the exact rules and names the field. */
export const DecimalInputSchema = Type.Union([Type.String({ maxLength: 64 }), Type.Number()], {
  description: 'Exact decimal: a string, or a JSON number',
})
export const ListQuerySchema = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: CATALOG_BOUNDS.listPage.most, default: 100 })),
  cursor: Type.Optional(Type.String({ maxLength: 512 })),
})
/** The longest that a request may ask to wait for what was sent before. */
export const VIEW_WAIT_MS_MAX = 10_000
/** On reads that may wait for what the caller has just sent. */
export const WaitQuerySchema = Type.Object({
  waitMs: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: VIEW_WAIT_MS_MAX,
      default: 0,
      description: 'Answers when everything that was durable before this request is counted, or after this time',
    }),
  ),
})
export const PageSchema = <Item extends TSchema>(item: Item) =>
  Type.Object({
    data: Type.Array(item),
    nextCursor: Type.Union([Type.String(), Type.Null()]),
    count: Type.Optional(Type.Integer({ description: 'Records of the whole list, where `count=true` asked for them' })),
  })

export const ProblemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String({ description: 'Stable; every one is listed at /docs/errors', examples: ['unknown_product'] }),
    requestId: Type.Optional(Type.String({ description: 'The log of the server names the request by it' })),
    errors: Type.Optional(Type.Array(Type.Object({ field: Type.String(), code: Type.String(), detail: Type.String() }))),
  },
  { description: 'application/problem+json', additionalProperties: true },
)
