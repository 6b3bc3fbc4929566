import { Type } from 'typebox'
import { InstantSchema, ListQuerySchema } from './common.ts'
import { BoundSchema } from './instants.ts'

const RowSchema = Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()])

export const AuditEntrySchema = Type.Object({
  sequence: Type.Integer({ description: 'From 1 without a gap, in the order in which a tenant’s changes were committed' }),
  at: InstantSchema,
  actor: Type.String({ description: '`key/<id>`, or `command/<name>`', examples: ['key/key_0mhf3k2aw1f00d'] }),
  route: Type.Optional(Type.String({ examples: ['PUT /v1/plans/:key'] })),
  address: Type.Optional(Type.String({ description: 'Where the request came from' })),
  requestId: Type.Optional(Type.String({ description: 'As `X-Request-Id` of the answer and in the log' })),
  objectType: Type.String({ examples: ['plan'] }),
  object: Type.String({ examples: ['pro'] }),
  change: Type.Enum(['created', 'changed', 'deleted']),
  before: RowSchema,
  after: RowSchema,
  previousHash: Type.String({ description: 'The hash of the entry before; empty for the first' }),
  hash: Type.String({ description: 'SHA-256 of the entry and `previousHash`, in hexadecimal digits' }),
})

export const AuditQuerySchema = Type.Object({
  ...ListQuerySchema.properties,
  actor: Type.Optional(Type.String({ maxLength: 200 })),
  objectType: Type.Optional(Type.String({ maxLength: 64 })),
  object: Type.Optional(Type.String({ maxLength: 512 })),
  from: Type.Optional(BoundSchema('Entries from then on; a date is its start in UTC')),
  to: Type.Optional(BoundSchema('Entries before')),
})

export const AuditCheckSchema = Type.Object({
  entries: Type.Integer(),
  brokenAt: Type.Union([Type.Integer(), Type.Null()], {
    description: 'The first entry that is not as it was written, or is missing; null: the chain is whole',
  }),
})
