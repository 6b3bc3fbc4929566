/** 'created' is answered 201, the others 200. */
export type PutResult<Value> = { readonly value: Value; readonly result: 'created' | 'changed' | 'same' }
