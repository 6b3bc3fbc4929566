export const PLAN_INTERVALS = ['day', 'week', '28days', 'month', '3months', '6months', 'year', 'once'] as const
export type PlanInterval = (typeof PLAN_INTERVALS)[number]

export const RESET_INTERVALS = ['hour', 'day', 'week', '28days', 'month', 'quarter', 'year', 'interval', 'never'] as const
export type ResetInterval = (typeof RESET_INTERVALS)[number]
