/** Why a delta was not counted. Each drop is right: the counter is not tracked, or the re-track has counted the delta. */
export type DropReason = 'untracked' | 'other_definition' | 'before_tracking'
