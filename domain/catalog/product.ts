import type { ProductKey } from '../identity.ts'

export type Product = { readonly key: ProductKey; readonly name: string; readonly description: string | null }
