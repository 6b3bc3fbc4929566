// Loaded into the server that is measured: what it holds is only known once what it has let go of is gone.
process.on('SIGUSR2', () => globalThis.gc?.())
