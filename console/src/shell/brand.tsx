export function Brand() {
  return (
    <svg viewBox="0 0 22 22" aria-hidden>
      <rect x="2" y="2" width="4" height="18" rx="1" fill="currentColor" />
      <rect className="f4" x="7" y="3" width="4" height="6" rx="1" />
      <rect className="f1" x="12" y="4" width="4" height="5" rx="1" />
      <rect className="f3" x="17" y="5" width="3" height="4" rx="1" />
    </svg>
  )
}
