import { Type } from 'typebox'
import { CLOSED, InstantSchema, KeySchema, PageSchema } from './common.ts'
import { RECORD_TIMES } from './record-times.ts'

export const DownloadInputSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 256 }),
    description: Type.Optional(Type.Union([Type.String({ maxLength: 2_048 }), Type.Null()])),
  },
  CLOSED,
)
export const DownloadSchema = Type.Object({
  key: KeySchema,
  name: Type.String(),
  description: Type.Union([Type.String(), Type.Null()]),
  ...RECORD_TIMES,
})
export const DownloadPageSchema = PageSchema(DownloadSchema)

const VersionSchema = Type.String({ pattern: '^[A-Za-z0-9._+-]{1,64}$', description: 'Letters, digits, dot, underscore, plus and dash' })
export const ReleaseQuerySchema = Type.Object({
  version: VersionSchema,
  filename: Type.String({ minLength: 1, maxLength: 1_024, description: 'What the file is called where it is saved' }),
})
export const ReleaseParamsSchema = Type.Object({ key: KeySchema, version: VersionSchema })
export const WithdrawInputSchema = Type.Object(
  { erase: Type.Optional(Type.Boolean({ description: 'Its bytes go too; by default those who have it keep it' })) },
  CLOSED,
)
export const ReleaseSchema = Type.Object({
  id: Type.String(),
  download: KeySchema,
  version: Type.String(),
  filename: Type.String(),
  bytes: Type.Integer(),
  sha256: Type.String(),
  createdAt: InstantSchema,
  withdrawnAt: Type.Union([InstantSchema, Type.Null()]),
})
export const ReleaseListSchema = Type.Object({ data: Type.Array(ReleaseSchema) })

export const CustomerDownloadsSchema = Type.Object({
  data: Type.Array(
    Type.Object({
      download: KeySchema,
      name: Type.String(),
      version: Type.String(),
      filename: Type.String(),
      bytes: Type.Integer(),
      sha256: Type.String(),
      url: Type.String({ description: 'Good until `expiresAt`, and no longer than the purchase is' }),
      expiresAt: InstantSchema,
    }),
  ),
})
export const CustomerLinksSchema = Type.Object({
  data: Type.Array(Type.Object({ key: KeySchema, label: Type.String(), url: Type.String() })),
})
