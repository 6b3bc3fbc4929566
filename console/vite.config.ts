import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const TOLLGATE = process.env.TOLLGATE_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  root: import.meta.dirname,
  base: '/console/',
  plugins: [react()],
  build: {
    target: 'es2023',
    // The policy of the page refuses data: fonts and scripts.
    assetsInlineLimit: 0,
    // The polyfill would be a script of its own, and every browser of the target preloads modules.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '/console/api': TOLLGATE, '/docs': TOLLGATE } },
})
