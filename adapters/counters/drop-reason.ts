/** Why a delta was not counted. Each is right: what it would have changed is not tracked, or was counted by the re-track. */
export type DropReason = 'untracked' | 'other_definition' | 'before_tracking'
