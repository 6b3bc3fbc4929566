import '../../look/tokens.css'
import '../../look/base.css'
import '../../look/parts.css'
import '../../look/shell.css'
import './console.css'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { ProblemError } from './api/problem.ts'
import { router } from './routes.tsx'
import { applyTheme } from './shell/preferences.ts'

applyTheme()

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 1_000,
      // What the caller got wrong stays wrong; the world may mend itself.
      retry: (failures, error) =>
        failures < 2 && !(error instanceof ProblemError && error.problem.status >= 400 && error.problem.status < 500),
      refetchOnWindowFocus: true,
    },
  },
})

const root = document.getElementById('root')
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  )
}
