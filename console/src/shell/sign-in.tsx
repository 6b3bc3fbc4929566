import { useEffect, useRef, useState } from 'react'
import { TextField, useForm } from '../parts/form.tsx'
import { Brand } from './brand.tsx'
import { useSignIn } from './session.ts'

export function SignIn() {
  const signIn = useSignIn()
  const [key, setKey] = useState(keyOfAddress)
  const { submit, isBusy, wrong } = useForm(() => signIn(key.trim()))
  const first = useRef(key)
  const send = useRef(submit)
  // A link with a key signs in at once; the part behind # never leaves the browser, and is taken out of the address.
  useEffect(() => {
    document.title = 'Sign in · Tollgate'
    if (first.current === '') return
    history.replaceState(history.state, '', location.pathname + location.search)
    void send.current()
  }, [])
  return (
    <main className="sign-in">
      <form className="card" onSubmit={(event) => void submit(event)} autoComplete="off">
        <div className="pad form">
          <div className="brand">
            <Brand /> Tollgate
          </div>
          <h1>Sign in</h1>
          <TextField
            label="API key"
            type="password"
            value={key}
            onChange={setKey}
            placeholder="tg_sk_…"
            hint="What you may see and do is what the key may. The first start of the server printed one; tollgate keys makes others."
          />
          {location.protocol === 'http:' && !/^(localhost|127\.|\[::1\])/.test(location.hostname) ? (
            <div className="callout callout-warn">This page came without TLS: whoever is on the way can read the key and the session.</div>
          ) : null}
          <button type="submit" className="button button-primary" disabled={isBusy || key.trim() === ''}>
            Sign in
          </button>
        </div>
        {wrong}
      </form>
    </main>
  )
}

function keyOfAddress(): string {
  return new URLSearchParams(location.hash.slice(1)).get('key') ?? ''
}
