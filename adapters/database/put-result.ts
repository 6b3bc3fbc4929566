/** 'created' is answered with 201, the others with 200. */
export type PutResult<Value> = { readonly value: Value; readonly result: 'created' | 'changed' | 'same' }
