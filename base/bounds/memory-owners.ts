import { Gauge, type Registry } from 'prom-client'

const owners = new WeakMap<Registry, Map<string, () => number>>()

/** Tells `/metrics` how much memory an owner holds, under one name for all owners; `bytes` is asked at every scrape and must be cheap. */
export function tellMemory(registry: Registry, owner: string, bytes: () => number): void {
  const known = owners.get(registry)
  if (known !== undefined) {
    known.set(owner, bytes)
    return
  }
  const ofRegistry = new Map([[owner, bytes]])
  owners.set(registry, ofRegistry)
  new Gauge({
    name: 'tollgate_memory_bytes',
    help: 'Memory by owner, each as its owner counts or estimates it; heap and native together are the whole process',
    labelNames: ['owner'],
    registers: [registry],
    collect() {
      for (const [name, bytesOf] of ofRegistry) this.set({ owner: name }, bytesOf())
    },
  })
}
