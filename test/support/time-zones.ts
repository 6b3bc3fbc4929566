/** Other names of zones that the process knows, which its own list leaves out. */
const ALIASES = [
  ...['Asia/Kolkata', 'Europe/Kyiv', 'US/Pacific', 'US/Eastern', 'Brazil/East', 'Canada/Newfoundland', 'Australia/LHI', 'Cuba', 'Egypt'],
  ...['EST', 'EST5EDT', 'CET', 'HST', 'GMT', 'Etc/GMT+12', 'Etc/GMT-14', 'UTC', 'Zulu', 'NZ-CHAT'],
]
/** Zones with unusual clocks: jumps by half an hour, at midnight, by days, for a month, or new rules. */
const ODD_ZONES = [
  ...['Australia/Lord_Howe', 'America/Havana', 'Antarctica/Troll', 'Africa/Casablanca', 'Asia/Gaza', 'Antarctica/Casey', 'Asia/Beirut'],
  ...['America/Vancouver', 'Pacific/Chatham', 'Asia/Kathmandu', 'America/Sao_Paulo', 'Asia/Pyongyang', 'Pacific/Apia', 'America/Nuuk'],
]

export function allZones(): readonly string[] {
  return [...Intl.supportedValuesOf('timeZone'), ...ALIASES]
}

/** All unusual zones, and this many of the others, different ones in each run. */
export function sampledZones(count: number): readonly string[] {
  const all = allZones()
  if (count >= all.length) return all
  return [...ODD_ZONES, ...Array.from({ length: count }, () => all[Math.floor(Math.random() * all.length)] ?? 'UTC')]
}
